package gameday

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// refusing makes the queue refuse every send while down says so.
func refusing(down func() bool) func(context.Context, string, *slog.Logger) (queue.Queue, error) {
	return func(context.Context, string, *slog.Logger) (queue.Queue, error) {
		return queue.Wrap(memory.New(memory.Config{}), queue.Hooks{
			Produce: func(ctx context.Context, s *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
				if !down() {
					next(ctx, batch, done)
					return
				}
				for i := range batch {
					done(i, queue.Result{Err: queue.ErrRefused})
				}
			},
		}), nil
	}
}

// A broken guard ends the run: everything is taken back, the queue drained, and the verdict is aborted.
func TestGuardAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
phases: [ { baseline: 2s }, { inject: { kill: n1 } }, { inject: { pause: n2 } }, { observe: 1h } ]
guards: [ "error_rate < 50% for 3s" ]
`)
		x.cfg.Open = refusing(func() bool { return x.states()["n1"] == "down" })
		began := time.Now()
		x.run(t)
		x.verdict(t, "aborted")
		expectDone(t, x, "kill n1, pause n2, up n2, up n1")
		x.allUp(t)
		if a := x.res.Abort; a.By != "guard" || !strings.Contains(a.Why, "error_rate") {
			t.Errorf("abort %+v", a)
		}
		if g := x.res.Guards[0]; g.Verdict != "fail" {
			t.Errorf("the broken guard is %+v", g)
		}
		if !x.res.Drained {
			t.Error("not drained")
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
		if told := x.told(Aborted); len(told) != 1 || !strings.Contains(told[0], "error_rate") {
			t.Errorf("told %q", told)
		}
		if len(x.events(t, history.End)) != 0 {
			t.Error("an aborted run has an end")
		}
	})
}

// What cannot be watched is stopped.
func TestGuardWithoutDataAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrialOf(t, calm+`
probes: { checkout: { command: "true", every: 1h } }
phases: [ { baseline: 1h } ]
guards: [ "probe.checkout.ok > 50% for 5s" ]
`)
		delete(x.cfg.Scenario.Probes, "checkout") // nobody asks
		x.run(t)
		x.verdict(t, "aborted")
		if !strings.Contains(x.res.Abort.Why, "cannot be watched") {
			t.Errorf("abort %+v", x.res.Abort)
		}
	})
}

// A person may end a run at any point of it. What is in force is taken back, and what is known is reported.
func TestPersonEndsTheRun(t *testing.T) {
	const script = `
faults: [ { name: one, do: { kill: n1 } }, { name: two, do: { pause: n2 } } ]
phases:
  - baseline: 2s
  - inject: [one, two]
  - observe: 20s
  - recover: [one, two]
  - observe: 1h
`
	slow := func(what string) func(context.Context, string) error {
		return func(ctx context.Context, did string) error {
			if did != what {
				return nil
			}
			select {
			case <-time.After(4 * time.Second):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	for name, c := range map[string]struct {
		after  time.Duration
		before func(context.Context, string) error
		want   string
		limit  time.Duration // from the interrupt to the end
	}{
		"in the baseline": {time.Second, nil, "", 2 * time.Second},
		"in an injection": {4 * time.Second, slow("kill n1"), "kill n1, up n1", 5 * time.Second},
		"in the next one": {4 * time.Second, slow("pause n2"), "kill n1, pause n2, up n2, up n1", 5 * time.Second},
		"while observing": {10 * time.Second, nil, "kill n1, pause n2, up n2, up n1", 2 * time.Second},
		"in a recovery":   {24 * time.Second, slow("up n1"), "kill n1, pause n2, up n1, up n2", 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTrial(t, script)
				x.before = c.before
				time.AfterFunc(c.after, func() { x.interrupt() })
				began := time.Now()
				x.run(t)
				x.verdict(t, "aborted")
				expectDone(t, x, c.want)
				x.allUp(t)
				if a := x.res.Abort; a.By != "person" || a.Why != ErrInterrupted.Error() {
					t.Errorf("abort %+v", a)
				}
				if took := time.Since(began) - c.after; took > c.limit {
					t.Errorf("it took %s after the interrupt, want at most %s", took, c.limit)
				}
				for _, file := range []string{result.ResultFile, result.HTMLFile} {
					if _, err := os.Stat(filepath.Join(x.dir, file)); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// An act that does not listen is given up some seconds after Ctrl-C, and what it may have done is taken back.
func TestPersonEndsAnActThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { inject: { kill: n1 } }, { observe: 1h } ]\n")
		x.before = func(ctx context.Context, what string) error {
			if what == "kill n1" {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}
		time.AfterFunc(time.Second, func() { x.interrupt() })
		began := time.Now()
		x.run(t)
		x.verdict(t, "aborted")
		expectDone(t, x, "up n1")
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// Draining may take minutes. Ctrl-C then is not an end without a verdict, and not one that came by itself.
func TestPersonEndsTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrialOf(t, head+`workload: { producers: 1, consumers: 1, rate: 50/s, size: 64B, work: 1s }
phases: [ { baseline: 20s } ]
`)
		x.cfg.Open = func(context.Context, string, *slog.Logger) (queue.Queue, error) {
			return memory.New(memory.Config{AckTimeout: 10 * time.Minute}), nil
		}
		var at time.Time
		x.at(Draining, "", func() { at = time.Now(); x.interrupt() })
		x.run(t)
		x.verdict(t, "aborted")
		if took := time.Since(at); took > 30*time.Second {
			t.Errorf("it took %s after the interrupt", took)
		}
		if x.res.Drained || x.res.Abort.By != "person" {
			t.Errorf("drained %v, abort %+v", x.res.Drained, x.res.Abort)
		}
	})
}

// A run that a guard ends does not wait for its queue to be empty, only whether it nearly is.
func TestAnAbortedRunDoesNotWaitForItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrialOf(t, head+`workload: { producers: 1, consumers: 1, rate: 50/s, size: 64B, work: 1s }
phases: [ { baseline: 1h } ]
guards: [ "max(lag) < 500 for 1s" ]
`)
		x.cfg.Open = func(context.Context, string, *slog.Logger) (queue.Queue, error) {
			return memory.New(memory.Config{AckTimeout: 10 * time.Minute}), nil
		}
		began := time.Now()
		x.run(t)
		x.verdict(t, "aborted")
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// Before the load began there is nothing to judge: an error, no verdict, and nothing left open.
func TestPersonEndsTheStart(t *testing.T) {
	block := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	for name, change := range map[string]func(*trial){
		"of the target": func(x *trial) {
			x.cfg.start = func(ctx context.Context, _ *run) (target, error) { return nil, block(ctx) }
		},
		"of the target, that says something else": func(x *trial) {
			x.cfg.start = func(ctx context.Context, _ *run) (target, error) { _ = block(ctx); return nil, errAct }
		},
		"at a question": func(x *trial) {
			x.cfg.Confirm = func(ctx context.Context, _ string) (bool, error) { return false, block(ctx) }
		},
		"of the load": func(x *trial) {
			x.cfg.Open = func(ctx context.Context, _ string, _ *slog.Logger) (queue.Queue, error) { return nil, block(ctx) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTrial(t, `
prerequisites: [ { confirm: the pager is off } ]
phases: [ { baseline: 1s } ]
`)
				x.cfg.Confirm = func(context.Context, string) (bool, error) { return true, nil }
				change(x)
				time.AfterFunc(time.Second, func() { x.interrupt() })
				began := time.Now()
				x.run(t)
				x.fails(t, ErrInterrupted.Error(), "before the load began")
				if !errors.Is(x.err, ErrInterrupted) || x.res != nil {
					t.Errorf("error %v, result %v", x.err, x.res)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %s", took)
				}
				if a := x.events(t, history.Abort); len(a) != 1 || a[0].Name != "person" {
					t.Errorf("aborts %+v", a)
				}
			})
		})
	}
}

// A target that does not come up has a limit, which the error names.
func TestTargetThatNeverComesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { baseline: 1s } ]\n")
		x.cfg.start = func(ctx context.Context, _ *run) (target, error) { <-ctx.Done(); return nil, context.Cause(ctx) }
		x.run(t)
		x.fails(t, "not done within 1m0s")
		if x.res != nil {
			t.Error("a result of nothing")
		}
		if v, err := Verify(x.dir); err != nil || v.Verdict == "pass" {
			t.Errorf("verify: %v %v", v, err)
		}
	})
}

func TestTargetThatDoesNotClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { baseline: 1s } ]\n")
		x.closed = errAct
		x.run(t)
		if x.err == nil || !strings.Contains(x.err.Error(), "left behind") {
			t.Errorf("error %v", x.err)
		}
	})
}

// The disk is full in mid-run: havoq ends the run, takes everything back, says so, and does not pass. Closing the history
// under the run's feet has the effect of that: an event that cannot be recorded.
func TestHistoryThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { baseline: 2s }, { inject: { kill: n1 } }, { observe: 1h } ]\n")
		start := x.cfg.start
		x.cfg.start = func(ctx context.Context, r *run) (target, error) {
			x.before = func(_ context.Context, what string) error {
				if what == "kill n1" {
					_ = r.history.Close()
				}
				return nil
			}
			return start(ctx, r)
		}
		began := time.Now()
		x.run(t)
		x.fails(t, errHistory.Error(), "free space", "--out")
		x.allUp(t)
		if x.res == nil || x.res.Verdict != "unknown" {
			t.Errorf("result %+v", x.res)
		}
		if n := strings.Count(x.err.Error(), errHistory.Error()); n != 1 {
			t.Errorf("said %d times: %v", n, x.err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// It breaks with the very last event: the run had its end, and must not pass.
func TestHistoryThatBreaksAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { baseline: 2s } ]\n")
		start := x.cfg.start
		var r *run
		x.cfg.start = func(ctx context.Context, of *run) (target, error) { r = of; return start(ctx, of) }
		x.at(Drained, "", func() { r.recorder.Record(history.Event{}) }) // cannot be recorded; what comes after it can
		x.run(t)
		x.fails(t, errHistory.Error())
		if v, err := Verify(x.dir); err != nil || v.Verdict != "aborted" {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
}

// A reader that does not read keeps nothing in force, and is waited for at the end only.
func TestReaderThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrialOf(t, head+`workload: { producers: 1, consumers: 1, rate: 2/s, size: 64B }
phases: [ { baseline: 1s }, { inject: { kill: n1, for: 1s } }, { observe: 20m } ]
`)
		gate := make(chan struct{})
		var left atomic.Bool
		x.cfg.Progress = func(p Progress) {
			<-gate
			left.Store(left.Load() || p.Kind == LeftOut)
		}
		time.AfterFunc(10*time.Second, func() { x.allUp(t) })
		time.AfterFunc(time.Hour, func() { close(gate) })
		x.run(t)
		x.verdict(t, "pass")
		expectDone(t, x, "kill n1, up n1")
		if s := x.res.Seconds; s < 1200 || s > 1300 {
			t.Errorf("the run took %v s: the reader held it up", s)
		}
		if left.Load() {
			t.Error("a report other than a tick was left out")
		}
	})
}
