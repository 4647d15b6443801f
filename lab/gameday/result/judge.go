package result

import (
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
)

// Input is the content of a run folder.
type Input struct {
	Scenario *scenario.Scenario
	Run      RunInfo
	// Events reads the history from its beginning. It is called several times, and each reading must give the same. A reading
	// that fails ends early: the caller looks for its error afterwards, and throws the result away.
	Events func() iter.Seq[history.Event]
	// Warning says, after a reading, what of the history could not be read; nil or "": nothing.
	Warning func() string
	// Doubts says, after a reading, why else the history cannot prove that all is well: each makes the verdict unknown where it
	// would be pass. Nil: nothing.
	Doubts func() []string
	// Alone: nothing is known of the run but its history; Scenario has a name and a contract, and Run what the header says.
	Alone bool
	// Witnesses and SettleTime are those of oracle.Config.
	Witnesses  int
	SettleTime time.Duration
}

// Judge makes the result of a run. It is a pure function of its input: the verdict of `havoq verify`, years later, is the one
// that `havoq run` gave. The error says that the input is no run; whatever a run came to is in its result.
func Judge(in Input) (*Result, error) {
	if in.Scenario == nil || in.Events == nil {
		return nil, errors.New("judge a run: a scenario and a history are needed")
	}
	verdict, test, end := consult(in)
	f := newFacts(end)
	for e := range in.Events() {
		f.observe(&e)
	}
	f.close()

	r := describe(in)
	r.add(verdict, test)
	r.ownPrograms(in.Scenario.Workload)
	r.measure(f)
	from := source{r, f}
	judgeCriteria(r, in.Scenario, from)
	judgeGuards(r, in.Scenario)
	doubts := in.doubts(f)
	r.Verdict, r.Reasons = conclude(r, verdict, doubts)
	doubts = r.doubts(verdict, doubts)
	r.halves(verdict.Checks, in.Scenario, doubts)
	r.Claims = claims(r, verdict.Checks, doubts)
	if err := judgeExpectation(r, in.Scenario.Expect, from); err != nil {
		return nil, err
	}
	r.Unproven = unproven(r, in)
	r.fill()
	return r, nil
}

// fill makes lists that are there and empty out of missing ones: result.json has no null where a list is meant.
func (r *Result) fill() {
	r.Reasons, r.Criteria, r.Guards, r.Faults = list(r.Reasons), list(r.Criteria), list(r.Guards), list(r.Faults)
	r.Outages, r.Drains, r.Recovery, r.Witnesses = list(r.Outages), list(r.Drains), list(r.Recovery), list(r.Witnesses)
	r.Phases, r.Log, r.Unproven = list(r.Phases), list(r.Log), list(r.Unproven)
	r.Claims = list(r.Claims)
	t := &r.Timeline
	t.Sent, t.Acked, t.Errors, t.Processed = list(t.Sent), list(t.Acked), list(t.Errors), list(t.Processed)
	t.P50, t.P99, t.Lag = list(t.P50), list(t.P99), list(t.Lag)
	for i := range r.Witnesses {
		r.Witnesses[i].Life = list(r.Witnesses[i].Life)
	}
	for name, series := range t.Nodes {
		t.Nodes[name] = list(series)
	}
	if r.Anomalies == nil {
		r.Anomalies = map[string]oracle.Anomaly{}
	}
}

func list[T any](values []T) []T {
	if values == nil {
		return []T{}
	}
	return values
}

// doubts says why the run cannot show what the scenario was to show, besides what the oracle and the criteria say.
func (in Input) doubts(f *facts) (why []string) {
	if missing := missingFaults(in.Scenario, f.begun); missing != "" {
		why = append(why, missing)
	}
	if in.Warning != nil && in.Warning() != "" {
		why = append(why, "the end of the history is damaged: "+in.Warning())
	}
	if in.Doubts != nil {
		why = append(why, in.Doubts()...)
	}
	return append(append(why, f.sources.doubts()...), f.strange...)
}

// describe says what was run.
func describe(in Input) *Result {
	s := in.Scenario
	r := &Result{
		Schema: Schema, Scenario: s.Name, Title: s.Title, Hypothesis: s.Hypothesis,
		Workload: s.Workload.String(), Contract: s.Contract.String(),
		Run: in.Run.Name, Seed: in.Run.Seed, Roles: in.Run.Roles,
		Environment: in.Run.Environment, Again: in.Run.Again,
	}
	if !in.Run.Started.IsZero() {
		r.Started = in.Run.Started.Format(time.RFC3339)
	}
	if in.Alone {
		r.Workload = "not known: the history was judged alone"
	}
	return r
}

// add takes over the oracle's judgement.
func (r *Result) add(o oracle.Result, test oracle.SelfTest) {
	r.Counts, r.Anomalies, r.Outages, r.Recovery = o.Counts, o.Anomalies, o.Outages, o.Recovery
	r.Clients, r.Positions = o.Clients, o.Positions
	r.Witnesses, r.Drained, r.Complete, r.SelfTest = o.Witnesses, o.Drained, o.Complete, test
	r.Criteria = append(r.Criteria, o.Checks...)
	for _, f := range o.Faults {
		r.Faults = append(r.Faults, Fault{FaultWindow: f, Layer: layer(f.What)})
	}
	consume := map[string]float64{}
	for _, outage := range o.Outages {
		if outage.Side == "produce" {
			r.Downtime.Produce += outage.Seconds()
			continue
		}
		consume[outage.Group] += outage.Seconds()
		r.Downtime.Consume = max(r.Downtime.Consume, consume[outage.Group])
	}
}

// ownPrograms says which faults struck programs of the user's own.
func (r *Result) ownPrograms(w scenario.Workload) {
	for i := range r.Faults {
		if _, own := w.App(r.Faults[i].Node); own {
			r.Faults[i].Layer = "application"
		}
	}
}

// layer says where a fault acted, by the verb that its words begin with. Empty: not known.
func layer(what string) string {
	verb, _, _ := strings.Cut(what, " ")
	switch verb {
	case "kill", "pause", "stop", "restart", "wipe":
		return "cluster"
	case "crash":
		return "workload"
	}
	return ""
}

// measure adds the figures that need no judgement.
func (r *Result) measure(f *facts) {
	r.Seconds = float64(f.end) / 1e9
	for i := range r.Faults {
		r.Faults[i].Exposed = f.met[r.Faults[i].Name]
	}
	r.Abort, r.Drains, r.Exposed, r.Groups = f.abort, f.drains, f.exposed, len(f.groups)
	r.ExposedAcked = f.messages.exposedAcked
	r.Phases, r.Log = f.phases.result(), f.log.result(f.end)
	r.Sources = f.sources.result()
	r.Timeline = f.timeline.Timeline
	r.Timeline.Nodes = f.nodes.states
	r.Resources = f.memory.by
	r.MemoryMax = f.memory.max
	r.Probes = map[string]Probe{}
	for name, p := range f.probes {
		r.Probes[name] = p.Probe
	}
	r.Latency = map[string]Latency{}
	if f.ack.count() > 0 {
		r.Latency["ack"] = f.ack.latency()
	}
	if f.e2e.count() > 0 {
		r.Latency["e2e"] = f.e2e.latency()
	}
	for name, h := range f.phases.merged() {
		if h.count() > 0 {
			r.Latency["e2e@"+name] = h.latency()
		}
	}
}
