package gameday

import (
	"context"
	"fmt"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/workload"
)

// ProgressKind says what a Progress tells.
type ProgressKind string

// The kinds, in the order of a run.
const (
	Start     ProgressKind = "start"     // the run begins: Folder, Seed
	Target    ProgressKind = "target"    // the target is up: Text, Nodes
	Loading   ProgressKind = "load"      // the load runs
	PhaseOn   ProgressKind = "phase"     // a phase begins: Phase, Index, Of, Text
	PhaseOff  ProgressKind = "phase-end" // it ended: Phase, Text with its figures
	Act       ProgressKind = "act"       // a fault was injected or taken back, and seen: Text
	NodeState ProgressKind = "node"      // a node changed: Text, Nodes
	Leader    ProgressKind = "leader"    // another node leads the topic: Text, Nodes
	Tick      ProgressKind = "tick"      // four times a second: Stats, Rates, Left
	Aborted   ProgressKind = "aborted"   // a guard, a person or an error ended it: Text
	Draining  ProgressKind = "draining"  // no new messages; waiting for the queue to be empty
	Drained   ProgressKind = "drained"   // how that ended: Text
	Judging   ProgressKind = "judging"   // the history is being judged
	Done      ProgressKind = "done"      // Result
	LeftOut   ProgressKind = "left-out"  // reports were left out, because the reader was too slow: Text
)

// Progress is one report of a running scenario. Its JSON form is a line of "havoq run --output json".
type Progress struct {
	Kind   ProgressKind      `json:"kind"`
	At     time.Duration     `json:"at_ns"` // since the start of the run
	Text   string            `json:"text,omitempty"`
	Folder string            `json:"folder,omitempty"`
	Seed   uint64            `json:"seed,omitempty"`
	Phase  string            `json:"phase,omitempty"`
	Index  int               `json:"index,omitempty"` // from 1
	Of     int               `json:"of,omitempty"`
	Left   time.Duration     `json:"left_ns,omitempty"` // of the phase
	Stats  *workload.Stats   `json:"stats,omitempty"`
	Rates  *Rates            `json:"rates,omitempty"`
	Nodes  map[string]string `json:"nodes,omitempty"`
	Faults []string          `json:"faults,omitempty"` // in force
	Result *result.Result    `json:"-"`
}

// Rates are figures of the last second.
type Rates struct {
	Sent      float64 `json:"sent_per_second"`
	Acked     float64 `json:"acked_per_second"`
	Errors    float64 `json:"errors_per_second"`
	Processed float64 `json:"processed_per_second"`
	P99       float64 `json:"p99_seconds"` // end to end, of the last second; 0: nothing was delivered
	Lag       float64 `json:"lag"`
}

// teller passes reports on, so that a reader who does not read (a terminal that is held, a pager) cannot keep a fault in force.
type teller struct {
	reports chan telling
	ended   chan struct{}
	left    int // out, because the reader was too slow
}

type telling struct {
	Progress
	reached chan struct{} // not nil: no report, but closed when everything before it was told
}

// maxReports is how many reports wait for a slow reader; ticks take at most half of that.
const maxReports = 4096

// startTelling starts the teller and returns what ends it when everything was told.
func (r *run) startTelling() (stop func()) {
	if r.cfg.Progress == nil {
		return func() {}
	}
	t := &teller{reports: make(chan telling, maxReports), ended: make(chan struct{})}
	r.mu.Lock()
	r.teller = t
	r.mu.Unlock()
	go func() {
		defer close(t.ended)
		for p := range t.reports {
			if p.reached != nil {
				close(p.reached)
				continue
			}
			r.cfg.Progress(p.Progress)
		}
	}()
	return func() {
		r.mu.Lock()
		r.teller = nil
		r.mu.Unlock()
		close(t.reports)
		<-t.ended
		if t.left > 0 {
			r.cfg.Progress(Progress{Kind: LeftOut, Text: fmt.Sprintf("%d reports were left out: the reader was too slow", t.left)})
		}
	}
}

// tell passes a report on, with the facts that every report has. It never waits for the reader.
func (r *run) tell(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.teller
	if t == nil || p.Kind == Tick && len(t.reports) > maxReports/2 {
		return
	}
	p.At = time.Duration(r.history.Now())
	p.Folder, p.Seed = r.dir, r.seed
	p.Of = len(r.cfg.Scenario.Phases)
	p.Phase, p.Index = r.phase.name, r.phase.index
	if !r.phase.deadline.IsZero() {
		p.Left = max(0, time.Until(r.phase.deadline))
	}
	if r.target != nil {
		p.Nodes = r.target.states()
	}
	p.Faults = r.faults.names()
	select {
	case t.reports <- telling{Progress: p}:
	default:
		t.left++
	}
}

// told waits until everything was told so far, so that a question to a person comes after it.
func (r *run) told(ctx context.Context) {
	r.mu.Lock()
	t := r.teller
	r.mu.Unlock()
	if t == nil {
		return
	}
	reached := make(chan struct{})
	select {
	case t.reports <- telling{reached: reached}:
	case <-ctx.Done():
		return
	}
	select {
	case <-reached:
	case <-ctx.Done():
	}
}

func (r *run) setPhase(s phaseState) {
	r.mu.Lock()
	r.phase = s
	r.mu.Unlock()
}

// startTicker starts the regular reports and returns what stops them.
func (r *run) startTicker() func() {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				rates, stats := r.live.rates(), r.load.Stats()
				r.tell(Progress{Kind: Tick, Rates: &rates, Stats: &stats})
			}
		}
	}()
	return func() { close(stop); <-stopped }
}
