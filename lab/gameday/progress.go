package gameday

import (
	"time"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/workload"
)

// ProgressKind says what a Progress tells.
type ProgressKind string

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
	Aborted   ProgressKind = "aborted"   // a guard or a person ended it
	Draining  ProgressKind = "draining"
	Drained   ProgressKind = "drained"
	Judging   ProgressKind = "judging"
	Done      ProgressKind = "done" // Result
)

// Progress is one report of a running scenario.
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

// tell passes a report on, with the facts that every report has.
func (r *run) tell(p Progress) {
	if r.cfg.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	p.At = time.Duration(r.history.Now())
	p.Folder, p.Seed = r.folder.Dir, r.seed
	p.Of = len(r.cfg.Scenario.Phases)
	if p.Phase == "" {
		p.Phase, p.Index = r.phase.name, r.phase.index
	}
	if !r.phase.deadline.IsZero() {
		p.Left = max(0, time.Until(r.phase.deadline))
	}
	if r.target != nil {
		p.Nodes = r.target.states()
	}
	p.Faults = r.faults.names()
	r.cfg.Progress(p)
}

func (r *run) setPhase(s phaseState) {
	r.telling.Lock()
	r.phase = s
	r.telling.Unlock()
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
				r.tick()
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

func (r *run) tick() {
	rates := r.live.rates()
	stats := r.load.Stats()
	r.tell(Progress{Kind: Tick, Rates: &rates, Stats: &stats})
}
