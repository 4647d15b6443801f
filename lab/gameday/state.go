package gameday

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/queue"
)

// The load's topic in a cluster of havoq's own, and its consumer group.
const (
	ownTopic = "orders"
	group    = "workers"
)

// run is one execution. Its parts are started in the order of execute and closed in the reverse one.
type run struct {
	cfg      Config
	limits   limits
	id       uint32
	seed     uint64
	topic    string
	dir      string // the run folder
	log      *slog.Logger
	logFile  *os.File // nil: the log is the caller's
	history  *history.Writer
	recorder history.Recorder // the history and the live figures
	live     *live
	target   target
	queue    queue.Queue
	load     load
	loaded   bool // the load began, so there is something to judge
	faults   faults
	leases   leases

	// baselineLag is the highest lag of the baseline phases, and baselineRate what was sent in a second of them: what "normal" is
	// measured by.
	baselineLag, baselineRate float64

	mu     sync.Mutex // guards target and what follows, for progress
	phase  phaseState
	teller *teller // nil: nobody wants to be told
}

// phaseState is what progress shows of the current phase.
type phaseState struct {
	name     string
	index    int
	deadline time.Time
}

// newRun makes the folder and opens the history. The run is returned with an error, too, for the folder.
func newRun(cfg Config) (*run, error) {
	s := cfg.Scenario
	r := &run{cfg: cfg, limits: cfg.limits, seed: cmp.Or(cfg.Seed, s.Seed), topic: ownTopic}
	if r.limits == (limits{}) {
		r.limits = defaultLimits()
	}
	if r.seed == 0 {
		r.seed = uint64(rand.Uint32()) + 1 // short enough to be typed again
	}
	r.id = rand.Uint32N(math.MaxUint32) + 1 // not 0; tells this run's messages from another's in the same queue; not part of what a seed repeats
	switch {
	case s.Workload.IsExternal():
		r.topic = s.Observe.Input.Topic
	case s.Target.URL != "":
		r.topic = fmt.Sprintf("havoq-%08x", r.id) // on somebody's broker: nobody else's, and no other run's
	}
	r.faults.init()
	r.leases.init()
	var err error
	if r.dir, err = makeFolder(cfg.Out, s.Name); err != nil {
		return r, err
	}
	if err := r.openLog(); err != nil {
		return r, err
	}
	r.history, err = history.Create(filepath.Join(r.dir, result.HistoryFile), history.Header{
		Run: r.id, Name: filepath.Base(r.dir), Seed: r.seed, Start: time.Now(),
		Info: map[string]string{scenarioSum: fingerprint(r.source(), r.set())},
	})
	if err != nil {
		return r, err
	}
	if err := r.writeInfo(); err != nil {
		_ = r.history.Close() // it is empty
		return r, err
	}
	r.live = newLive(r.history.Now)
	r.recorder = history.Tee(r.history, r.live)
	return r, nil
}
