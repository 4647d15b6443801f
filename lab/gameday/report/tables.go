package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

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

// producerRows tells when single producers got nothing through.
func producerRows(r *result.Result) (rows []row) {
	for _, o := range r.Clients {
		name := o.Client
		if name == "" {
			name = fmt.Sprintf("number %d", o.Producer)
		}
		rows = append(rows, row{clip(name, 80), since(o.From), duration(o.Seconds())})
	}
	return rows
}

// positionRows tells what a group got by the broker's own positions, where it skipped some or went back.
func positionRows(r *result.Result) (rows []row) {
	for _, p := range r.Positions {
		if p.Skipped == 0 && p.Backward == 0 {
			continue
		}
		rows = append(rows, row{clip(p.Group, 80) + fmt.Sprintf(", partition %d", p.Partition), number(p.First), number(p.Last),
			number(p.Skipped), number(p.Backward)})
	}
	return rows
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

// nodeRows tells of each node. That havoq stops it after the last phase is not counted as going down.
func nodeRows(r *result.Result) (rows []row) {
	over := int64(r.Seconds * 1e9)
	if n := len(r.Phases); n > 0 {
		over = r.Phases[n-1].To
	}
	for _, name := range sortedNames(r.Timeline.Nodes) {
		spent := map[string]float64{}
		downs := 0
		for _, s := range r.Timeline.Nodes[name] {
			spent[s.State] += s.Seconds()
			if s.State == result.NodeDown && s.From < over {
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
