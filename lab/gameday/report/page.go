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
	Unproven  []string
	Timeline  []template.HTML
	Phases    table
	Latency   table
	Flow      []template.HTML
	Anomalies table
	Witnesses []witness
	MoreLives int
	Recovery  table
	Drains    table
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
		Anomalies: newTable("numbers anomalies", anomalyRows(r), "anomaly", "meaning", "total", "caused by a hit", "during a fault", "unexplained"),
		Recovery: newTable("", recoveryRows(r), "fault", "what", "began", "seen in force after", "hits", "sending back after",
			"receiving back after", "lag normal after", "seen gone after"),
		Drains:   newTable("", drainRows(r), "group", "state", "took", "left", "evidence"),
		Nodes:    newTable("", slices.Concat(nodeRows(r), resourceRows(r)), "process", "time in each state", "times down", "most memory"),
		Probes:   newTable("", probeRows(r), "probe", "answered well", "failed", "slowest answer"),
		Log:      logTable(r),
		Unproven: clipped(r.Unproven),
		About:    aboutRows(r), MemoryMax: notKnown,
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

func phaseRows(r *result.Result) (rows []row) {
	for _, p := range r.Phases {
		rows = append(rows, row{clip(p.Name, 80), since(p.From), duration(p.Seconds()), number(p.Sent), number(p.Acked), number(p.Errors),
			number(p.Processed), optional(p.P50), optional(p.P99), number(int64(p.LagMax))})
	}
	return rows
}

func latencyRows(r *result.Result) (rows []row) {
	for _, name := range sortedNames(r.Latency) {
		l := r.Latency[name]
		if l.Count == 0 {
			continue
		}
		rows = append(rows, row{latencyName(name), number(l.Count), duration(l.Min), duration(l.P50), duration(l.P90), duration(l.P99),
			duration(l.P999), duration(l.Max)})
	}
	return rows
}

func latencyName(name string) string {
	kind, phase, in := strings.Cut(name, "@")
	switch kind {
	case "ack":
		kind = "until the broker's ack"
	case "e2e":
		kind = "end to end"
	}
	if in {
		return kind + ", " + clip(phase, 80)
	}
	return kind + ", whole run"
}

func anomalyMeaning(name string) string {
	switch name {
	case oracle.Lost:
		return "acked by the broker, and nowhere"
	case oracle.Duplicated:
		return "delivered again after a confirmed ack, or processed twice"
	case oracle.Redelivered:
		return "delivered again before a confirmed ack"
	case oracle.Reordered:
		return "overtaken where the sender had waited"
	case oracle.Corrupted:
		return "payload or envelope damaged"
	case oracle.Unexpected:
		return "delivered and never sent"
	case oracle.FailedButDelivered:
		return "proven not taken, and delivered all the same"
	case oracle.Late:
		return "delivered after the contract's max-delay"
	default:
		return ""
	}
}

func anomalyRows(r *result.Result) (rows []row) {
	names := oracle.Names()
	for _, extra := range sortedNames(r.Anomalies) {
		if !slices.Contains(names, extra) {
			names = append(names, extra)
		}
	}
	for _, name := range names {
		a, judged := r.Anomalies[name]
		cells := row{clip(strings.ReplaceAll(name, "_", " "), 80), anomalyMeaning(name), notKnown, notKnown, notKnown, notKnown}
		known := r.Complete && (name != oracle.Lost || r.Drained)
		if judged && (known || a.Total > 0) {
			cells = row{cells[0], cells[1], number(a.Total), number(a.Caused), number(a.During), number(a.Unexplained)}
		}
		rows = append(rows, cells)
	}
	return rows
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

func recoveryRows(r *result.Result) (rows []row) {
	recovery := map[string]oracle.Recovery{}
	for _, rec := range r.Recovery {
		recovery[rec.Fault] = rec
	}
	for _, f := range r.Faults {
		what := clip(f.What, 120)
		if f.What == f.Name {
			what = "–"
		}
		cells := row{clip(f.Name, 120), what, since(f.Begin), elapsed(f.Begin, f.Seen), number(f.Hits), notKnown, notKnown, notKnown,
			elapsed(f.Heal, f.Gone)}
		if rec, ok := recovery[f.Name]; ok {
			cells[5], cells[6], cells[7] = stopped(rec.Failover), stopped(rec.Consume), duration(rec.Lag)
		}
		if f.Heal == 0 {
			cells[8] = "not taken back"
		}
		rows = append(rows, cells)
	}
	return rows
}

// stopped shows the time to recover; 0 means that there was nothing to recover from.
func stopped(seconds float64) string {
	if seconds == 0 {
		return "never stopped"
	}
	return duration(seconds)
}

func elapsed(from, to int64) string {
	if from <= 0 || to <= 0 {
		return notKnown
	}
	return duration(float64(to-from) / 1e9)
}

func drainRows(r *result.Result) (rows []row) {
	for _, d := range r.Drains {
		state, left := "proven empty", number(int64(d.Left))
		if !d.Proven {
			state = "not proven empty"
		}
		if d.Left < 0 {
			left = notKnown
		}
		rows = append(rows, row{clip(d.Group, 80), state, duration(d.Took), left, clip(d.Detail, maxText)})
	}
	return rows
}

func logTable(r *result.Result) table {
	t := table{Class: "log", Heads: []string{"time", "who", "what"}}
	lines, more := cut(r.Log, maxLogLines)
	t.More = more
	for _, l := range lines {
		t.Rows = append(t.Rows, row{since(l.At), clip(l.Who, 40), clip(l.Text, maxText)})
	}
	return t
}

func nodeRows(r *result.Result) (rows []row) {
	for _, name := range sortedNames(r.Timeline.Nodes) {
		spent := map[string]float64{}
		downs := 0
		for _, s := range r.Timeline.Nodes[name] {
			spent[s.State] += s.Seconds()
			if s.State == result.NodeDown {
				downs++
			}
		}
		var states []string
		for _, state := range sortedNames(spent) {
			states = append(states, state+" "+duration(spent[state]))
		}
		memory := notKnown
		if res, ok := r.Resources[name]; ok && res.RSSMax > 0 {
			memory = size(res.RSSMax)
		}
		rows = append(rows, row{clip(name, 80), strings.Join(states, ", "), number(int64(downs)), memory})
	}
	return rows
}

// resourceRows are the processes that are not nodes.
func resourceRows(r *result.Result) (rows []row) {
	for _, name := range sortedNames(r.Resources) {
		if _, node := r.Timeline.Nodes[name]; !node {
			rows = append(rows, row{clip(name, 80), "–", "–", size(r.Resources[name].RSSMax)})
		}
	}
	return rows
}

func probeRows(r *result.Result) (rows []row) {
	for _, name := range sortedNames(r.Probes) {
		p := r.Probes[name]
		slowest := notKnown
		if p.LatencyMax > 0 {
			slowest = duration(p.LatencyMax)
		}
		rows = append(rows, row{clip(name, 80), number(p.OK), number(p.Failed), slowest})
	}
	return rows
}

func aboutRows(r *result.Result) []row {
	e := r.Environment
	rows := []row{
		{"Target", e.Target}, {"Workload", r.Workload}, {"Contract", r.Contract},
		{"Seed", fmt.Sprint(r.Seed)}, {"Started", r.Started}, {"Lasted", duration(r.Seconds)},
		{"havoq", e.Havoq}, {"Go", e.Go}, {"System", strings.Trim(e.OS+" "+e.Arch, " ")},
	}
	if e.CPUs > 0 {
		rows = append(rows, row{"Processors", fmt.Sprint(e.CPUs)})
	}
	for _, name := range sortedNames(e.Set) {
		rows = append(rows, row{"set " + clip(name, 80), e.Set[name]})
	}
	for _, name := range sortedNames(r.Roles) {
		if r.Roles[name] != "" {
			rows = append(rows, row{"Role: " + clip(name, 80), r.Roles[name]})
		}
	}
	for i := range rows {
		if rows[i][1] == "" {
			rows[i][1] = notKnown
		}
		rows[i][1] = clip(rows[i][1], maxText)
	}
	return rows
}
