package gameday

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
)

// The load's topic and consumer group.
const (
	topic = "orders"
	group = "workers"
)

// run is one execution. Its parts are started in the order of execute and closed in the reverse one.
type run struct {
	cfg      Config
	id       uint32
	seed     uint64
	folder   folder
	history  *history.Writer
	recorder history.Recorder // the history and the live figures
	live     *live
	target   target
	queue    queue.Queue
	load     *workload.Workload
	faults   faults

	// baselineLag is the highest lag of the baseline phases: what "normal" is measured by.
	baselineLag float64

	telling sync.Mutex
	phase   phaseState
}

// phaseState is what progress shows of the current phase.
type phaseState struct {
	name     string
	index    int
	deadline time.Time
}

// folder is a run's folder.
type folder struct{ Dir string }

func newRun(cfg Config) (*run, error) {
	r := &run{cfg: cfg, seed: cfg.Seed}
	if r.seed == 0 {
		r.seed = cfg.Scenario.Seed
	}
	if r.seed == 0 {
		r.seed = uint64(rand.Uint32()) + 1 // short enough to be typed again
	}
	r.id = rand.Uint32() // tells this run's messages from another's in the same queue; not part of what a seed repeats
	dir, err := makeFolder(cfg.Out, cfg.Scenario.Name)
	if err != nil {
		return nil, err
	}
	r.folder = folder{dir}
	if err := r.writeInfo(); err != nil {
		return nil, err
	}
	r.history, err = history.Create(filepath.Join(dir, result.HistoryFile), history.Header{
		Run: r.id, Name: filepath.Base(dir), Seed: r.seed, Start: time.Now(),
	})
	if err != nil {
		return nil, err
	}
	r.live = newLive(r.history.Now)
	r.recorder = history.Tee(r.history, r.live)
	r.faults.init()
	return r, nil
}

// makeFolder makes a new folder for a run, named after the scenario and the time, and proves that it can be written to.
func makeFolder(out, name string) (string, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", fmt.Errorf("make the run folder in %s: %w; choose another place with --out", out, err)
	}
	base := filepath.Join(out, name+"-"+time.Now().Format("20060102-150405"))
	for i := range 100 {
		dir := base
		if i > 0 {
			dir = fmt.Sprintf("%s-%d", base, i+1)
		}
		err := os.Mkdir(dir, 0o755)
		if os.IsExist(err) {
			continue
		}
		if err == nil {
			err = writable(dir)
		}
		if err != nil {
			return "", fmt.Errorf("make the run folder %s: %w; free space or choose another place with --out", dir, err)
		}
		return dir, nil
	}
	return "", fmt.Errorf("make the run folder %s: a hundred of that name are there; choose another place with --out", base)
}

func (r *run) writeInfo() error {
	s := r.cfg.Scenario
	if err := os.WriteFile(filepath.Join(r.folder.Dir, result.ScenarioFile), s.Source, 0o644); err != nil {
		return fmt.Errorf("keep the scenario in the run folder: %w", err)
	}
	return result.WriteRunInfo(r.folder.Dir, result.RunInfo{
		Name: filepath.Base(r.folder.Dir), Scenario: s.Name, Seed: r.seed, Started: time.Now(),
		Roles: r.cfg.Roles, Environment: r.cfg.Environment, Again: fmt.Sprintf("%s --seed %d", r.cfg.Again, r.seed),
	})
}
