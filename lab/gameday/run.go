// Package gameday runs a scenario: it starts the target, puts load on it, breaks it, takes everything back, and has the
// history judged. Everything that is known of a run is in its folder; the verdict is made from that folder alone, so that
// Verify comes to the same one years later.
package gameday

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/queue"
)

// Config says what to run and how. Scenario and Open are needed.
type Config struct {
	Scenario *scenario.Scenario
	// Out is the folder in which the run folder is made. It is created if it is not there. "": the current one.
	Out string
	// Seed decides everything that is drawn. 0: the scenario's, or a new one; the result says which.
	Seed uint64
	// Roles says who plays which part, and goes before what the scenario says.
	Roles map[string]string
	// Confirm asks a person whether a prerequisite holds. It must return when ctx ends. nil: there is nobody to ask, and a
	// prerequisite that needs a person is an error before anything is started.
	Confirm func(ctx context.Context, question string) (bool, error)
	// Open opens a queue by its URL. What the driver has to say goes to log.
	Open func(ctx context.Context, url string, log *slog.Logger) (queue.Queue, error)
	// Progress is told how the run goes, by one goroutine at a time. It may block (a terminal that does not scroll): the run
	// goes on, leaves reports out that come too thick, and waits for it only at its very end.
	Progress func(Progress)
	// Environment is recorded in the result; Again is the command that repeats the run, without its seed.
	Environment result.Environment
	Again       string
	// Logger takes what cluster, driver and load have to say. nil: havoq.log in the run folder.
	Logger *slog.Logger

	limits limits                                      // the zero value stands for defaultLimits
	start  func(context.Context, *run) (target, error) // nil: openTarget. Tests put another target here.
}

// limits are those of a run's own steps. Each expiry is an answer, never a hang.
type limits struct {
	start  time.Duration // of starting the target, and of opening the load
	act    time.Duration // of one injection or recovery
	grace  time.Duration // for an act that is under way when the run is ended
	finish time.Duration // for undecided sends, after the last phase
	drain  time.Duration // for the queue to get on
	close  time.Duration // for sessions and nodes
}

func defaultLimits() limits {
	return limits{
		start: 60 * time.Second, act: 60 * time.Second, grace: 10 * time.Second,
		finish: 45 * time.Second, drain: 60 * time.Second, close: 15 * time.Second,
	}
}

// endedLimit is what finishing and draining are given in a run that was ended early: a look instead of a wait.
const endedLimit = 5 * time.Second

// ErrInterrupted is the cause to cancel Run's context with when a person ends the run: what is in force is recovered, and
// what is known is reported. Run's error wraps it if the load had not begun, so that there is nothing to report.
var ErrInterrupted = errors.New("interrupted by a person")

// Run executes the scenario once. A run that was judged, whatever the verdict, has a result and no error. An error says that
// havoq could not do its work (bad folder, no leader, a recovery that failed, …); what is known of such a run is in the result,
// which is nil if the load had not begun. The folder is returned wherever it was made.
func Run(ctx context.Context, cfg Config) (*result.Result, string, error) {
	if err := cfg.check(); err != nil {
		return nil, "", err
	}
	r, err := newRun(cfg)
	if err != nil {
		return nil, r.dir, err
	}
	defer r.startTelling()()
	defer r.closeLog()
	runErr := r.execute(ctx)
	if err := r.history.Close(); err != nil && !errors.Is(runErr, errHistory) {
		runErr = errors.Join(runErr, r.historyError(err))
	}
	if !r.loaded {
		return nil, r.dir, runErr
	}
	res, err := r.judge()
	return res, r.dir, errors.Join(runErr, err)
}

// check says what is missing before anything is made.
func (c Config) check() error {
	if c.Scenario == nil || c.Open == nil {
		return errors.New("gameday: Config needs a Scenario and Open")
	}
	if c.Confirm != nil {
		return nil
	}
	for _, p := range c.Scenario.Prerequisites {
		if p.Confirm != "" && p.Applies(c.Scenario.Timing) {
			return fmt.Errorf("%w: %q needs a person's confirmation; run it in a terminal, or confirm with --yes", ErrPrerequisite, p.Confirm)
		}
	}
	return nil
}

// execute is the whole run, in order. The end is the last word of the history, after that of the nodes' own end.
func (r *run) execute(parent context.Context) error {
	r.tell(Progress{Kind: Start})
	if err := r.startTarget(parent); err != nil {
		return r.notBegun(parent, err)
	}
	why, err := r.underLoad(parent)
	closeErr := r.closeTarget(parent)
	if r.loaded && why == nil && err == nil {
		err = r.end()
	}
	return errors.Join(err, closeErr)
}

// underLoad is the part of a run that is judged. It returns why the run was ended early, if it was, and what failed.
func (r *run) underLoad(parent context.Context) (*ending, error) {
	if err := r.checkPrerequisites(parent); err != nil {
		return nil, r.notBegun(parent, err)
	}
	if err := r.startLoad(parent); err != nil {
		return nil, r.notBegun(parent, err)
	}
	r.loaded = true
	defer r.startTicker()()

	ctx, abort := context.WithCancelCause(parent)
	defer abort(nil)
	stopWatching := r.watch(ctx, abort)
	err := r.phases(ctx)
	stopWatching()
	why := r.endedEarly(parent, ctx, err)
	r.abort(why)
	err = why.failure()
	if recoverErr := r.recoverAtEnd(parent); recoverErr != nil {
		err = errors.Join(err, recoverErr)
		if why == nil {
			why = &ending{"error", recoverErr}
			r.abort(why)
		}
	}
	r.finishLoad(parent, why != nil)
	if why == nil && parent.Err() != nil { // after the phases
		why = &ending{"person", context.Cause(parent)}
		r.abort(why)
	}
	return why, err
}

// end is written only if the run came to its own end, and everything of it is recorded.
func (r *run) end() error {
	if err := r.history.Flush(); err != nil {
		err = r.historyError(err)
		r.abort(&ending{"error", err})
		return err
	}
	r.recorder.Record(history.Event{Kind: history.End})
	return nil
}

// judge makes the verdict from the folder, and keeps it there.
func (r *run) judge() (*result.Result, error) {
	r.tell(Progress{Kind: Judging})
	res, err := Verify(r.dir)
	if err != nil {
		return nil, err
	}
	r.tell(Progress{Kind: Done, Result: res})
	if err := Write(r.dir, res); err != nil {
		return res, fmt.Errorf("keep the result: %w; make room, then: havoq report %s", err, r.dir)
	}
	return res, nil
}
