package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// The short report is bounded; the HTML one has more.
const (
	maxMarkdownWitnesses = 3
	maxMarkdownRows      = 40
)

// Markdown writes the report in short, for a pull request or a chat: GitHub's dialect. The output depends on r alone.
func Markdown(w io.Writer, r *result.Result) error {
	m := &markdown{}
	s := Summarize(r)
	title := r.Title
	if title == "" {
		title = r.Scenario
	}
	m.line("## %s %s", verdictMark(r.Verdict), text(title))
	m.line("**%s**", text(s.Headline))
	for _, h := range s.Halves {
		m.item("%s **%s** %s: %s", verdictMark(h.Verdict), h.Name, verdictWord(h.Verdict), text(h.How))
	}
	m.gap()
	if r.Hypothesis != "" {
		m.line("*Hypothesis: %s*", text(r.Hypothesis))
	}
	m.line("%s", text(strings.Join(s.Facts, " ")))
	if r.Verdict != oracle.Pass {
		m.list(r.Reasons)
	}
	m.checks("Criteria", r.Criteria)
	m.checks("Guards", r.Guards)
	m.account(r)
	m.sources(r)
	m.recovery(r)
	m.witnesses(r)
	m.line("### Why to trust this")
	for _, t := range s.Trust {
		m.item("%s %s: %s", verdictMark(t.Holds), text(t.What), text(t.How))
	}
	m.gap()
	m.line("### What the zeros are worth")
	m.line("%s", text(chanceSentence(r)))
	if len(r.Unproven) > 0 {
		m.line("<details><summary>What this run does not prove</summary>")
		m.list(r.Unproven)
		m.line("</details>")
	}
	m.line("Run %s, seed %d. %s", code(r.Run), r.Seed, text(r.Environment.Target))
	if r.Again != "" {
		m.line("Again: %s", code(r.Again))
	}
	_, err := io.WriteString(w, m.b.String())
	if err != nil {
		return fmt.Errorf("write the Markdown report of %s: %w", r.Run, err)
	}
	return nil
}

type markdown struct{ b strings.Builder }

func (m *markdown) gap() { m.b.WriteString("\n") }

// line writes a paragraph.
func (m *markdown) line(format string, args ...any) { fmt.Fprintf(&m.b, format+"\n\n", args...) }

func (m *markdown) item(format string, args ...any) { fmt.Fprintf(&m.b, "- "+format+"\n", args...) }

func (m *markdown) list(items []string) {
	for _, i := range clipped(items) {
		m.item("%s", text(i))
	}
	m.gap()
}

func (m *markdown) more(n int) {
	if n > 0 {
		m.line("And %d more, in %s.", n, code(result.ResultFile))
	}
}

func (m *markdown) row(cells ...string) { m.b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }

func (m *markdown) head(cells ...string) {
	m.row(cells...)
	m.row(strings.Split(strings.Repeat("---,", len(cells)-1)+"---", ",")...)
}

func (m *markdown) checks(name string, list []oracle.Check) {
	if len(list) == 0 {
		return
	}
	rows := checks(list)
	m.line("### %s", name)
	m.head("", "criterion", "found")
	for _, c := range rows.Rows {
		m.row(c.Mark+" "+c.Word, code(c.Expr), text(c.Value))
	}
	m.gap()
	m.more(rows.More)
}

func (m *markdown) account(r *result.Result) {
	c := r.Counts
	lost, queued := number(c.Lost), number(c.Queued)
	if !r.Drained || !r.Complete {
		if c.Lost == 0 {
			lost = notKnown
		}
		if c.Queued == 0 {
			queued = notKnown
		}
	}
	m.line("### Where every message went")
	m.head("offered", "acked", "in doubt", "failed", "processed", "dead-lettered", "queued", "lost")
	m.row(number(c.Offered), number(c.Acked), number(c.InDoubt), number(c.Failed), number(c.Processed), number(c.DeadLettered), queued, lost)
	m.gap()
	var rows []row
	for _, cells := range anomalyRows(r) {
		if cells[2] != "0" {
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		return
	}
	m.head("anomaly", "total", "caused by a hit", "during a fault", "unexplained")
	for _, cells := range rows {
		m.row(text(cells[0]), cells[2], cells[3], cells[4], cells[5])
	}
	m.gap()
}

func (m *markdown) recovery(r *result.Result) {
	rows, more := cut(recoveryRows(r), maxMarkdownRows)
	if len(rows) == 0 {
		return
	}
	m.line("### Recovery")
	m.head("fault", "seen in force after", "sending back after", "receiving back after", "lag normal after")
	for _, cells := range rows {
		m.row(text(cells[0]), cells[3], cells[5], cells[6], cells[7])
	}
	m.gap()
	m.more(more)
}

func (m *markdown) witnesses(r *result.Result) {
	list, _ := witnesses(r)
	if len(list) == 0 {
		return
	}
	m.line("### Witnesses")
	for _, w := range list[:min(len(list), maxMarkdownWitnesses)] {
		m.item("**%s**, %s, %s:", text(w.Anomaly), text(w.Title), text(w.Why))
		for _, step := range w.Life.Rows {
			m.b.WriteString("  " + text(strings.Join(step, " ")) + "  \n")
		}
	}
	if more := len(r.Witnesses) - maxMarkdownWitnesses; more > 0 {
		m.item("and %d more, in %s", more, code(result.HTMLFile))
	}
	m.gap()
}

// text makes any text plain in Markdown: on one line, its marks escaped, its HTML not HTML.
func text(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "#", `\#`, "~", `\~`,
		"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "&#64;").Replace(s)
}

// code shows a text as it is, in a table cell, too. Backticks cannot be escaped within code, so they are replaced.
func code(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return ""
	}
	return "`" + strings.NewReplacer("`", "'", "|", `\|`).Replace(s) + "`"
}
