package result

import (
	"fmt"
	"strings"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// facts is what one reading of a history tells, the oracle's judgement aside.
type facts struct {
	end      int64 // of the history
	messages *messages
	timeline *timeline
	nodes    nodes
	log      runLog
	phases   phases
	ack, e2e *histogram
	memory   memory
	probes   map[string]*probe
	drains   []Drain
	lastSend int64
	abort    *Abort
	ended    bool

	attempts, errors int64 // sends with an outcome, and those that were not confirmed
	inFlight         int64
	exposed          int64
	begun            []int             // faults that began, by inject phase
	strange          []string          // what happened to nodes that no fault of this run was on
	met              map[string]int64  // sends under way while a fault of this name was in force
	active           map[string]string // fault and node to the fault's name
	groups           map[string]bool
	lagSampled       bool // the oracle can tell when the lag was back to normal
	sources          sources
}

// probe collects the answers to one probe.
type probe struct {
	Probe
	latencies []float64 // seconds; bounded by maxProbes
}

const maxProbes = 100_000

func newFacts(end int64) *facts {
	return &facts{
		end:      end,
		messages: newMessages(),
		timeline: newTimeline(end),
		nodes:    nodes{states: map[string][]NodeState{}},
		ack:      newHistogram(3),
		e2e:      newHistogram(3),
		memory:   memory{now: map[string]int64{}, by: map[string]Resource{}},
		probes:   map[string]*probe{},
		active:   map[string]string{},
		met:      map[string]int64{},
		groups:   map[string]bool{},
	}
}

// observe takes the events of a history in its order.
func (f *facts) observe(e *history.Event) {
	f.timeline.advance(e.At, f.messages.lag())
	switch e.Kind {
	case history.Invoke, history.Outcome:
		f.send(e)
	case history.Deliver:
		f.deliver(e)
	case history.Processed, history.DeadLetter:
		f.finish(e)
	case history.FaultBegin, history.HealSeen:
		f.fault(e)
	case history.Phase:
		f.phases.begin(e.Name, e.At)
		if e.Name == "inject" {
			f.begun = append(f.begun, 0)
		}
	case history.Node:
		f.stranger(e)
		f.nodes.set(e.Node, e.Detail, e.At)
		if e.Detail == "down" {
			f.memory.gone(e.Node)
		}
	case history.Probe:
		f.probe(e)
	case history.Sample:
		f.sample(e)
	case history.Drain:
		f.groups[e.Group] = true
		f.drains = append(f.drains, f.drain(e))
	case history.Source:
		f.sources.begin(e)
	case history.Gap:
		f.sources.gap(e)
	case history.Abort:
		if f.abort == nil {
			f.abort = &Abort{At: e.At, By: e.Name, Why: e.Detail}
		}
	case history.End:
		f.ended = true
	}
	f.log.observe(e)
	f.phases.lag(f.messages.lag())
}

// close ends what is still open.
func (f *facts) close() {
	f.timeline.close(f.messages.lag())
	f.nodes.close(f.end)
	f.phases.begin("", f.end)
}

func (f *facts) send(e *history.Event) {
	p, b := f.phases.now(), f.timeline.bucket()
	if e.Kind == history.Invoke {
		f.lastSend = max(f.lastSend, e.At)
		if len(f.active) > 0 {
			f.exposed++
		}
		for _, name := range f.active {
			f.met[name]++
		}
		if f.messages.offer(e.Identity, e.Intended, len(f.active) > 0) {
			p.Sent++
			b.sent++
		}
		if e.Outcome != queue.OK {
			f.inFlight++
		} else { // it was found in the queue: how long the broker took for it, nobody knows
			f.found(e, p, b)
		}
		return
	}
	f.inFlight--
	f.messages.answered(e.Identity)
	f.lastSend = max(f.lastSend, e.At)
	f.attempts++
	p.attempts++
	if e.Outcome != queue.OK {
		f.errors++
		p.Errors++
		b.errors++
		return
	}
	if intended, first := f.messages.ack(e.Identity); first {
		f.ack.add(e.At - intended)
		p.latencies().ack.add(e.At - intended)
		p.Acked++
		b.acked++
	}
}

// found notes a message that was seen in the queue, sent and confirmed.
func (f *facts) found(e *history.Event, p *phaseFacts, b *bucket) {
	f.attempts++
	p.attempts++
	f.sources.sent++
	if _, first := f.messages.ack(e.Identity); first {
		p.Acked++
		b.acked++
	}
}

func (f *facts) deliver(e *history.Event) {
	f.groups[e.Group] = true
	if e.Damage == history.Foreign || e.Damage == history.CorruptEnvelope || !f.messages.deliver(e.Identity, e.Group) {
		return
	}
	f.e2e.add(e.At - e.Intended)
	f.phases.now().latencies().e2e.add(e.At - e.Intended)
	f.timeline.bucket().e2e.add(e.At - e.Intended)
}

func (f *facts) finish(e *history.Event) {
	first := f.messages.finish(e.Identity, e.Group)
	if e.Kind != history.Processed {
		return
	}
	f.sources.processed(e.Group, first, f.messages.known(e.Identity))
	if !first {
		return
	}
	f.phases.now().Processed++
	f.timeline.bucket().processed++
	if f.sources.of(e.Group) != nil { // nobody tells of the delivery: the work is what can be timed
		f.deliver(&history.Event{Identity: e.Identity, Group: e.Group, At: e.At, Intended: f.messages.intended(e.Identity)})
	}
}

func (f *facts) fault(e *history.Event) {
	key := e.Name + "\x00" + e.Node
	if e.Kind == history.HealSeen {
		delete(f.active, key)
		if e.Node == "" { // the whole fault is gone, wherever it was
			for k := range f.active {
				if strings.HasPrefix(k, key) {
					delete(f.active, k)
				}
			}
		}
		return
	}
	if n := len(f.begun); n > 0 {
		f.begun[n-1]++
	}
	if len(f.active) == 0 {
		f.exposed += max(f.inFlight, 0)
	}
	f.met[e.Name] += max(f.inFlight, 0)
	f.messages.expose()
	f.active[key] = e.Name
}

// stranger notes a node that goes down, or is paused, without a fault of this run on it, before the run takes its target down.
// What that did is no fault's effect, and no evidence for the system's strength.
func (f *facts) stranger(e *history.Event) {
	if e.Detail != NodeDown && e.Detail != NodePaused || !f.phases.underWay() || len(f.strange) == maxStrange {
		return
	}
	for key := range f.active {
		if strings.HasSuffix(key, "\x00"+e.Node) {
			return
		}
	}
	f.strange = append(f.strange, fmt.Sprintf("%s was %s at %s, and havoq did not do it: its log is %s",
		e.Node, e.Detail, criteria.FormatSeconds(float64(e.At)/1e9), NodeLog("", e.Node)))
}

// maxStrange bounds a list for people.
const maxStrange = 10

func (f *facts) sample(e *history.Event) {
	switch e.Name {
	case "rss":
		f.memory.sample(e.Node, int64(e.Value))
	case "lag":
		f.lagSampled = true
	}
}

func (f *facts) probe(e *history.Event) {
	p := f.probes[e.Name]
	if p == nil {
		p = &probe{}
		f.probes[e.Name] = p
	}
	if e.Value > 0 {
		p.OK++
	} else {
		p.Failed++
	}
	if s, ok := probeSeconds(e); ok && len(p.latencies) < maxProbes {
		p.latencies = append(p.latencies, s)
		p.LatencyMax = max(p.LatencyMax, s)
	}
	f.timeline.probe(e.Name, e.Value > 0)
}

// probeSeconds is how long an answer took: Intended in nanoseconds, or the first word of Detail.
func probeSeconds(e *history.Event) (float64, bool) {
	if e.Intended > 0 {
		return float64(e.Intended) / 1e9, true
	}
	word, _, _ := strings.Cut(e.Detail, " ")
	d, err := time.ParseDuration(word)
	return d.Seconds(), err == nil
}

func (f *facts) drain(e *history.Event) Drain {
	return Drain{
		Group: e.Group, Proven: e.Outcome == queue.OK, Left: e.Value, Detail: e.Detail,
		Took: max(float64(e.At-f.lastSend)/1e9, 0),
	}
}

// phases follows the phases of a run. What happens outside of any is kept apart, and not reported.
type phases struct {
	list    []*phaseFacts
	outside phaseFacts
}

type phaseFacts struct {
	Phase
	open     bool
	attempts int64 // sends with an outcome
	hist     *phaseLatencies
}

type phaseLatencies struct{ ack, e2e *histogram }

// latencies are made when there is a first one: most phases are moments.
func (p *phaseFacts) latencies() *phaseLatencies {
	if p.hist == nil {
		p.hist = &phaseLatencies{newHistogram(3), newHistogram(3)}
	}
	return p.hist
}

func (p *phases) now() *phaseFacts {
	if n := len(p.list); n > 0 && p.list[n-1].open {
		return p.list[n-1]
	}
	return &p.outside
}

func (p *phases) begin(name string, at int64) {
	if now := p.now(); now.open {
		now.open, now.To = false, at
	}
	if name != "" {
		p.list = append(p.list, &phaseFacts{Phase: Phase{Name: name, Window: oracle.Window{From: at}}, open: true})
	}
}

// underWay: a phase has begun and not ended, so the run is not taking its target up or down.
func (p *phases) underWay() bool { return p.now().open }

func (p *phases) lag(n int64) {
	now := p.now()
	now.LagMax = max(now.LagMax, float64(n))
}

func (p *phases) result() []Phase {
	out := make([]Phase, len(p.list))
	for i, f := range p.list {
		out[i] = f.Phase
		if f.hist != nil && f.hist.e2e.count() > 0 {
			p50, p99 := f.hist.e2e.percentile(50), f.hist.e2e.percentile(99)
			out[i].P50, out[i].P99 = &p50, &p99
		}
	}
	return out
}

// merged has the end to end latencies by the name of the phase.
func (p *phases) merged() map[string]*histogram {
	out := map[string]*histogram{}
	for _, f := range p.list {
		if f.hist == nil {
			continue
		}
		if out[f.Name] == nil {
			out[f.Name] = newHistogram(3)
		}
		out[f.Name].merge(f.hist.e2e)
	}
	return out
}

// named are the phases of one name.
func (p *phases) named(name string) (out []*phaseFacts) {
	for _, f := range p.list {
		if f.Name == name {
			out = append(out, f)
		}
	}
	return out
}

// memory follows the resident memory of the processes, one by one and together.
type memory struct {
	now   map[string]int64
	by    map[string]Resource
	total int64
	max   int64
}

func (m *memory) sample(process string, bytes int64) {
	m.total += bytes - m.now[process]
	m.now[process] = bytes
	m.max = max(m.max, m.total)
	r := m.by[process]
	r.RSSMax, r.RSSLast, r.Samples = max(r.RSSMax, bytes), bytes, r.Samples+1
	m.by[process] = r
}

func (m *memory) gone(process string) {
	m.total -= m.now[process]
	delete(m.now, process)
}
