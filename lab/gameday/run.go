// Package gameday runs a scenario: it starts the target, puts load on it, breaks it, takes everything back, and has the
// history judged. Everything that is known of a run is in its folder; the verdict is made from that folder alone, so that
// Verify comes to the same one years later.
package gameday

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
)

// Config says what to run and how.
type Config struct {
	Scenario *scenario.Scenario
	// Out is the folder in which the run folder is made. It is created if it is not there.
	Out string
	// Seed decides everything that is drawn. 0: the scenario's, or a new one; the result says which.
	Seed  uint64
	Roles map[string]string
	// Confirm asks a person whether a prerequisite holds. nil: there is nobody to ask, and a prerequisite that needs a person
	// ends the run before it starts.
	Confirm func(ctx context.Context, question string) (bool, error)
	// Open opens a queue by its URL.
	Open func(ctx context.Context, url string) (queue.Queue, error)
	// Progress is told how the run goes, by one goroutine at a time.
	Progress func(Progress)
	// Environment is recorded in the result; Again is the command that repeats the run, without its seed.
	Environment result.Environment
	Again       string
	Logger      *slog.Logger
}

// Limits of a run's own steps. Each expiry is an answer, never a hang.
const (
	startLimit  = 60 * time.Second // the target
	actLimit    = 60 * time.Second // one injection or recovery
	finishLimit = 45 * time.Second // undecided sends, after the last phase
	drainLimit  = 60 * time.Second // the queue
	closeLimit  = 15 * time.Second // sessions and nodes
)

// window is how many messages of one producer are on the way or wait for a retry. While the broker is away all of them are
// tried again and again: more of them would only keep the machine from electing a leader.
const window = 256

// ErrInterrupted is the cause to cancel Run's context with when a person ends the run: what is in force is recovered, and
// what is known is reported.
var ErrInterrupted = errors.New("interrupted by a person")

// Run executes the scenario once. The error says that havoq could not do its work (bad folder, no leader, …); a run that was
// judged, whatever the verdict, has a result and no error. The folder is returned wherever it was made.
func Run(ctx context.Context, cfg Config) (*result.Result, string, error) {
	r, err := newRun(cfg)
	if err != nil {
		return nil, "", err
	}
	dir := r.folder.Dir
	runErr := r.execute(ctx)
	closeErr := r.history.Close()
	if runErr == nil && closeErr != nil {
		runErr = fmt.Errorf("write the history in %s: %w; free space or choose another folder with --out", dir, closeErr)
	}
	res, err := r.judge()
	if err != nil {
		return nil, dir, errors.Join(runErr, err)
	}
	return res, dir, runErr
}

// execute is the whole run, in order.
func (r *run) execute(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	r.tell(Progress{Kind: Start})
	if err := r.startTarget(ctx); err != nil {
		return r.failed(err)
	}
	defer r.closeTarget(parent)
	if err := r.checkPrerequisites(ctx); err != nil {
		return r.failed(err)
	}
	if err := r.startLoad(ctx); err != nil {
		return r.failed(err)
	}
	defer r.startTicker()()
	stopWatching := r.watch(ctx, cancel)

	err := r.phases(ctx)
	stopWatching()
	aborted := r.noteAbort(ctx, err)
	// What is in force is taken back whatever happened, under a context of its own: an interrupted run recovers, too.
	recoverErr := r.recoverAll(context.WithoutCancel(parent))
	if recoverErr != nil {
		r.abort("error", recoverErr.Error())
	}
	r.finishLoad(parent, aborted)
	if err != nil && !aborted {
		return r.failed(errors.Join(err, recoverErr))
	}
	if recoverErr != nil {
		return r.failed(recoverErr)
	}
	r.recorder.Record(history.Event{Kind: history.End})
	return nil
}

// failed records that havoq itself could not go on, and passes the error on.
func (r *run) failed(err error) error {
	r.abort("error", err.Error())
	return err
}

func (r *run) abort(who, why string) {
	r.recorder.Record(history.Event{Kind: history.Abort, Name: who, Detail: why})
}

// noteAbort records who ended the phases early: a guard or a person. Errors of havoq itself are not an abort.
func (r *run) noteAbort(ctx context.Context, err error) bool {
	if err == nil {
		return false
	}
	cause := context.Cause(ctx)
	var broken *guardError
	switch {
	case errors.As(cause, &broken):
		r.abort("guard", broken.Error())
	case ctx.Err() != nil:
		r.abort("person", cause.Error())
	default:
		return false
	}
	r.tell(Progress{Kind: Aborted, Text: "aborted: " + cause.Error() + "; recovering"})
	return true
}

func (r *run) startLoad(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	s := r.cfg.Scenario
	q, err := r.cfg.Open(ctx, r.target.queueURL(s))
	if err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	if s.Contract.Order == "key" && s.Workload.Consumers > 1 && q.Caps().Order != queue.OrderKey {
		err := fmt.Errorf("contract order: key with %d consumers: %s keeps order for one consumer of a group only; "+
			"set workload.consumers to 1 or drop order", s.Workload.Consumers, q.Caps().Driver)
		return errors.Join(err, q.Close(ctx))
	}
	r.queue = queue.Wrap(q, history.Hooks(history.Config{
		Recorder: r.recorder, Run: r.id, Start: r.history.Start(),
		Stream: func(string) uint16 { return 0 },
	}))
	r.load, err = workload.Start(ctx, r.workloadConfig())
	if err != nil {
		return fmt.Errorf("start the load: %w", err)
	}
	r.tell(Progress{Kind: Loading})
	return nil
}

func (r *run) workloadConfig() workload.Config {
	w := r.cfg.Scenario.Workload
	return workload.Config{
		Queue: r.queue, Recorder: r.recorder, Run: r.id, Start: r.history.Start(),
		Topic: topic, Group: group,
		Producers: w.Producers, Consumers: w.Consumers,
		Rate: float64(w.Rate), Size: int(w.Size), Keys: w.Keys,
		Ordered: r.cfg.Scenario.Contract.Order != "",
		Work:    time.Duration(w.Work), AckEarly: w.Ack == "early",
		Retry: time.Duration(w.Retry), Backlog: w.Backlog, Window: window, Seed: r.seed, Logger: r.cfg.Logger,
	}
}

// finishLoad stops the producers, drains the queue, and closes what the load had open. After an abort it only looks whether
// the queue is nearly empty, instead of waiting for it.
func (r *run) finishLoad(parent context.Context, aborted bool) {
	base := context.WithoutCancel(parent)
	finish, drain := finishLimit, drainLimit
	if aborted {
		finish, drain = 5*time.Second, 5*time.Second
	}
	r.recorder.Record(history.Event{Kind: history.Phase, Name: "drain"})
	r.tell(Progress{Kind: Draining})
	ctx, cancel := context.WithTimeout(base, finish)
	if err := r.load.StopProducers(ctx); err != nil {
		r.note("havoq", err.Error())
	}
	cancel()
	drained := r.load.Drain(base, drain)
	r.tell(Progress{Kind: Drained, Text: drained.String()})
	r.recorder.Record(history.Event{Kind: history.Phase})
	ctx, cancel = context.WithTimeout(base, closeLimit)
	defer cancel()
	if err := errors.Join(r.load.Close(ctx), r.queue.Close(ctx)); err != nil {
		r.note("havoq", "close the load: "+err.Error())
	}
}

func (r *run) note(who, text string) {
	r.recorder.Record(history.Event{Kind: history.Note, Name: who, Detail: text})
}

func (r *run) judge() (*result.Result, error) {
	r.tell(Progress{Kind: Judging})
	res, err := Verify(r.folder.Dir)
	if err != nil {
		return nil, err
	}
	if err := Write(r.folder.Dir, res); err != nil {
		return nil, err
	}
	r.tell(Progress{Kind: Done, Result: res})
	return res, nil
}

// writable proves early that the folder takes files: a run that cannot keep its evidence must not start.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
