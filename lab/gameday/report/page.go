package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// Limits keep the page small, whatever the run was; what is left out is said, and is in result.json.
const (
	maxWitnesses = 60
	openWitness  = 3
	maxSteps     = 60
	maxLogLines  = 500
	maxText      = 600
	maxRows      = 200 // of a table
	maxList      = 40  // reasons, and what is not proven
	maxMarks     = 200 // faults, phases and outages in a picture
)

// page is what the template shows: texts and pictures, in the order of the report.
type page struct {
	Style     template.CSS
	Policy    string
	Title     string
	Run       string
	Started   string
	Class     string // of the verdict
	Mark      string
	Summary   Summary
	Reasons   []string
	Result    *result.Result
	Trust     []mark
	Figures   []figure
	Criteria  checkTable
	Guards    checkTable
	Halves    []mark
	Zeros     zeros
	Unproven  []string
	Timeline  []template.HTML
	Phases    table
	Latency   table
	Flow      []template.HTML
	Sources   table
	Doubts    []string
	Anomalies table
	Witnesses []witness
	MoreLives int
	Recovery  table
	Drains    table
	Producers table
	Positions table
	Log       table
	Nodes     table
	MemoryMax string
	Probes    table
	About     []row
}

// row is a line of a table: its cells, as text.
type row []string

// table has a head for each cell. On a phone each row becomes a block, its cells labelled by the heads.
type table struct {
	Class string
	Heads []string
	Rows  []row
	More  int // rows that are left out
}

func newTable(class string, rows []row, heads ...string) table {
	kept, more := cut(rows, maxRows)
	return table{class, heads, kept, more}
}

// cut keeps at most max, and says how many it left out.
func cut[T any](list []T, max int) (kept []T, more int) {
	if len(list) <= max {
		return list, 0
	}
	return list[:max], len(list) - max
}

type mark struct{ Class, Mark, What, How string }

type figure struct{ Name, Value, Note, Class string }

type checkTable struct {
	Rows []checkRow
	More int
}

type checkRow struct{ Class, Mark, Word, Expr, Value, Reason string }

type witness struct {
	Open                       bool
	Class, Anomaly, Title, Why string
	Life                       table
}

func newPage(r *result.Result) *page {
	p := &page{
		Style: template.CSS(style), Policy: policy(),
		Title: r.Title, Run: r.Run, Started: r.Started, Result: r, Summary: Summarize(r),
		Class: verdictClass(r.Verdict), Mark: verdictMark(r.Verdict),
		Figures: figures(r), Criteria: checks(r.Criteria), Guards: checks(r.Guards),
		Phases:    newTable("numbers", phaseRows(r), "phase", "from", "for", "sent", "acked", "errors", "processed", "median", "p99", "most lag"),
		Latency:   newTable("numbers", latencyRows(r), "latency", "messages", "min", "median", "p90", "p99", "p99.9", "max"),
		Sources:   newTable("", sourceRows(r), sourceHeads()...),
		Doubts:    sourceDoubts(r),
		Anomalies: newTable("numbers anomalies", anomalyRows(r), "anomaly", "meaning", "total", "caused by a hit", "during a fault", "unexplained"),
		Recovery: newTable("", recoveryRows(r), "fault", "what", "began", "seen in force after", "hits", "sending back after",
			"receiving back after", "lag normal after", "seen gone after"),
		Producers: newTable("", producerRows(r), "producer", "down from", "for"),
		Positions: newTable("numbers", positionRows(r), "group and partition", "first", "last", "skipped", "backward"),
		Drains:    newTable("", drainRows(r), "group", "state", "took", "left", "evidence"),
		Nodes:     newTable("", slices.Concat(nodeRows(r), resourceRows(r)), "process", "time in each state", "times down", "most memory"),
		Probes:    newTable("", probeRows(r), "probe", "answered well", "failed", "slowest answer"),
		Log:       logTable(r),
		Zeros:     newZeros(r),
		Unproven:  clipped(r.Unproven),
		About:     aboutRows(r), MemoryMax: notKnown,
	}
	if p.Title == "" {
		p.Title = r.Scenario
	}
	if r.MemoryMax > 0 {
		p.MemoryMax = size(r.MemoryMax)
	}
	if r.Verdict != oracle.Pass {
		p.Reasons = clipped(r.Reasons)
	}
	for _, t := range p.Summary.Trust {
		p.Trust = append(p.Trust, mark{verdictClass(t.Holds), verdictMark(t.Holds), t.What, t.How})
	}
	for _, h := range p.Summary.Halves {
		p.Halves = append(p.Halves, mark{verdictClass(h.Verdict), verdictMark(h.Verdict), h.Name + " " + verdictWord(h.Verdict), h.How})
	}
	for _, l := range layouts() {
		p.Timeline = append(p.Timeline, timeline(r, l))
		p.Flow = append(p.Flow, flow(r, l))
	}
	p.Witnesses, p.MoreLives = witnesses(r)
	return p
}

func verdictClass(v oracle.Verdict) string {
	switch v {
	case oracle.Pass, oracle.Fail, result.Aborted:
		return string(v)
	default:
		return "unknown"
	}
}

func verdictMark(v oracle.Verdict) string {
	switch v {
	case oracle.Pass:
		return "✓"
	case oracle.Fail:
		return "✕"
	case result.Aborted:
		return "■"
	default:
		return "?"
	}
}

// clipped are sentences of bounded number and length.
func clipped(texts []string) []string {
	kept, more := cut(texts, maxList)
	out := make([]string, 0, len(kept)+1)
	for _, t := range kept {
		out = append(out, sentence(clip(t, maxText)))
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("And %d more, in result.json.", more))
	}
	return out
}

// figures are the numbers that everybody asks for first.
func figures(r *result.Result) []figure {
	lost := figure{Name: "lost", Value: number(r.Counts.Lost), Note: "of " + number(r.Counts.Acked) + " acknowledged"}
	switch {
	case r.Counts.Lost > 0:
		lost.Class = "fail"
	case !r.Drained || !r.Complete:
		lost.Value = notKnown
	}
	twice := figure{Name: "duplicated", Value: number(r.Anomalies[oracle.Duplicated].Total),
		Note: number(r.Anomalies[oracle.Redelivered].Total) + " redelivered"}
	if !r.Complete && r.Anomalies[oracle.Duplicated].Total == 0 {
		twice.Value = notKnown
	}
	out := []figure{lost, twice}
	down := figure{Name: "sending down", Value: notKnown}
	if r.Complete && r.Counts.Offered > 0 {
		down.Value, down.Note = duration(r.Downtime.Produce), "receiving "+duration(r.Downtime.Consume)
	}
	out = append(out, down, failoverFigure(r))
	late := figure{Name: "p99 end to end", Value: notKnown}
	if l, ok := r.Latency["e2e"]; ok && l.Count > 0 {
		late.Value, late.Note = duration(l.P99), "median "+duration(l.P50)
	}
	base := figure{Name: "p99 in the baseline", Value: notKnown}
	if l, ok := r.Latency["e2e@baseline"]; ok && l.Count > 0 {
		base.Value, base.Note = duration(l.P99), "median "+duration(l.P50)
	}
	return append(out, late, base)
}

func failoverFigure(r *result.Result) figure {
	f := figure{Name: "longest fail-over", Value: "no fault"}
	if len(r.Faults) > 0 {
		f.Value = notKnown
	}
	worst := 0.0
	for _, rec := range r.Recovery {
		if rec.Failover < 0 {
			return figure{Name: f.Name, Value: notKnown, Note: "after " + clip(rec.Fault, 40)}
		}
		if rec.Failover >= worst {
			worst = rec.Failover
			f.Value, f.Note = duration(worst), "after "+clip(rec.Fault, 40)
			if worst == 0 {
				f.Value, f.Note = "none", "sending never stopped"
			}
		}
	}
	return f
}

func checks(list []oracle.Check) (t checkTable) {
	list, t.More = cut(list, maxRows)
	for _, c := range list {
		value := c.Value
		if value == "" {
			value = notKnown
		}
		word := verdictWord(c.Verdict)
		t.Rows = append(t.Rows, checkRow{verdictClass(c.Verdict), verdictMark(c.Verdict), word,
			clip(c.Expr, maxText), clip(value, maxText), clip(c.Reason, maxText)})
	}
	return t
}

func witnesses(r *result.Result) (out []witness, more int) {
	list, more := cut(r.Witnesses, maxWitnesses)
	for i, w := range list {
		id := w.Message
		v := witness{
			Open: i < openWitness, Class: "neutral", Anomaly: clip(strings.ReplaceAll(w.Anomaly, "_", " "), 80), Why: clip(w.Attribution, 80),
			Title: fmt.Sprintf("message %s of producer %d", number(int64(id.Seq)), id.Producer),
			Life:  table{Class: "log", Heads: []string{"time", "what", "detail"}},
		}
		if w.Anomaly == oracle.Lost || w.Attribution == "unexplained" {
			v.Class = "fail"
		}
		if w.Fault != "" {
			v.Why += " " + clip(w.Fault, 80)
		}
		if w.Group != "" {
			v.Why += ", group " + clip(w.Group, 80)
		}
		steps, left := cut(w.Life, maxSteps)
		v.Life.More = left
		for _, s := range steps {
			v.Life.Rows = append(v.Life.Rows, row{since(s.At), clip(s.What, 80), clip(s.Detail, maxText)})
		}
		out = append(out, v)
	}
	return out, more
}
