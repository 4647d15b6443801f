package gameday

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
)

// What is done to the nodes, in which order.
func TestOrderOfActs(t *testing.T) {
	const named = `
faults:
  - { name: first, do: { kill: n1 } }
  - { name: second, do: { pause: n2 } }
  - { name: third, do: { stop: n3 } }
`
	for name, c := range map[string]struct{ rest, want string }{
		"by name, in the step's order": {named + `
phases: [ { inject: [first, second, third] }, { observe: 1s }, { recover: [second, first, third] }, { observe: 1s } ]
`, "kill n1, pause n2, stop n3, up n2, up n1, up n3"},
		"all: the last one first": {named + `
phases: [ { inject: [first, second, third] }, { observe: 1s }, { recover: all }, { observe: 1s } ]
`, "kill n1, pause n2, stop n3, up n3, up n2, up n1"},
		"what is left at the end": {named + `
phases: [ { inject: [second, first, third] }, { observe: 1s }, { recover: [first] }, { observe: 1s } ]
`, "pause n2, kill n1, stop n3, up n1, up n3, up n2"},
		"several nodes by one act": {`
phases: [ { inject: { kill: all } }, { observe: 1s }, { recover: all }, { observe: 1s } ]
`, "kill n1, kill n2, kill n3, up n3, up n2, up n1"},
		"restart each: the next when the last is back": {`
phases: [ { baseline: 1s }, { inject: { restart: each } }, { observe: 1s } ]
`, "stop n1, up n1, stop n2, up n2, stop n3, up n3"},
		"restart all: none is left in between": {`
phases: [ { baseline: 1s }, { inject: { restart: all } }, { observe: 1s } ]
`, "stop n1, stop n2, stop n3, up n1, up n2, up n3"},
		"start of a node, wiped": {`
phases: [ { baseline: 1s }, { inject: { kill: n2 } }, { recover: { start: n2, wipe: true } }, { observe: 1s } ]
`, "kill n2, wipe n2, up n2"},
		"two faults on one node, wiped once": {`
phases: [ { baseline: 1s }, { inject: { kill: n2 } }, { inject: { wipe: n2 } }, { recover: { start: n2, wipe: true } }, { observe: 1s } ]
`, "kill n2, wipe n2, wipe n2, up n2, up n2"},
		"a lease ends by itself": {`
phases: [ { inject: { kill: n1, for: 1s } }, { observe: 3s }, { inject: { kill: n2 } }, { recover: all }, { observe: 1s } ]
`, "kill n1, up n1, kill n2, up n2"},
		"and what it took back need not be recovered": {`
phases: [ { inject: { kill: n1, for: 1s } }, { observe: 3s }, { recover: { start: n1 } }, { observe: 1s } ]
`, "kill n1, up n1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTrial(t, c.rest).run(t)
				x.verdict(t, "pass")
				expectDone(t, x, c.want)
				x.allUp(t)
				begun, gone := x.events(t, history.FaultBegin), x.events(t, history.HealSeen)
				if len(begun) != len(gone) {
					t.Errorf("%d faults began, %d are seen gone", len(begun), len(gone))
				}
			})
		})
	}
}

// A name stands for one window in the history, however often a fault is injected.
func TestEveryInjectionHasItsOwnName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
faults: [ { name: again, do: { kill: n1 } }, { name: rolling, do: { restart: each } } ]
phases: [ { inject: [again] }, { recover: all }, { inject: [again] }, { recover: [again] }, { inject: [rolling] }, { observe: 1s } ]
`).run(t)
		x.verdict(t, "pass")
		got := names(x.events(t, history.FaultBegin))
		if want := []string{"again", "again #2", "rolling n1", "rolling n2", "rolling n3"}; cmp.Diff(want, got) != "" {
			t.Errorf("names %q, want %q", got, want)
		}
	})
}

// An act is seen, and takes its time: so does the step.
func TestInjectReturnsWhenSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { inject: { kill: n1 } }, { recover: all }, { observe: 1s } ]\n")
		x.before = func(context.Context, string) error { bubble.Sleep(7 * time.Second); return nil }
		x.run(t)
		x.verdict(t, "pass")
		at := map[history.Kind]time.Duration{}
		for _, e := range x.events(t, history.FaultBegin, history.FaultSeen, history.HealBegin, history.HealSeen) {
			at[e.Kind] = time.Duration(e.At).Round(time.Second)
		}
		want := map[history.Kind]time.Duration{
			history.FaultBegin: 0, history.FaultSeen: 7 * time.Second, history.HealBegin: 7 * time.Second, history.HealSeen: 14 * time.Second,
		}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
	})
}

// The lease is over while the step that recovers the same fault has begun, or the other way round: it is taken back once.
func TestLeaseRacesWithRecover(t *testing.T) {
	for _, before := range []time.Duration{-time.Millisecond, 0, time.Millisecond} {
		t.Run(before.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTrial(t, fmt.Sprintf(`
phases: [ { inject: { kill: n1, for: %s } }, { observe: 2s }, { recover: all }, { observe: 3s } ]
`, 2*time.Second-before))
				x.before = func(_ context.Context, what string) error {
					if strings.HasPrefix(what, "up") {
						bubble.Sleep(time.Second)
					}
					return nil
				}
				x.run(t)
				x.verdict(t, "pass")
				expectDone(t, x, "kill n1, up n1")
				if n := len(x.events(t, history.HealSeen)); n != 1 {
					t.Errorf("seen gone %d times", n)
				}
			})
		})
	}
}

// The run does not end before a lease that is being taken back.
func TestLeaseEndsWithTheRun(t *testing.T) {
	for name, c := range map[string]struct{ lease, want string }{
		"under way":   {"1s", "kill n1, up n1"},
		"not due yet": {"10m", "kill n1, up n1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTrial(t, "phases: [ { inject: { kill: n1, for: "+c.lease+" } }, { observe: 2s } ]\n")
				x.before = func(_ context.Context, what string) error {
					if what == "up n1" {
						bubble.Sleep(5 * time.Second)
					}
					return nil
				}
				x.run(t)
				x.verdict(t, "pass")
				expectDone(t, x, c.want)
				x.allUp(t)
			})
		})
	}
}

// A lease that is not due does not hold up the end of a run whose recovery has failed.
func TestLeaseOfAFaultThatCannotBeHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { inject: { kill: n1, for: 1h } }, { observe: 1s } ]\n")
		x.before = func(_ context.Context, what string) error {
			if what == "up n1" {
				return errAct
			}
			return nil
		}
		began := time.Now()
		x.run(t)
		x.fails(t, "recover from kill n1")
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// Nothing of a run goes on after it: a lease that is being taken back, by hands that do not listen, is waited for.
func TestLeaseIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { inject: { kill: n1, for: 1s } }, { observe: 2s } ]\n")
		x.before = func(_ context.Context, what string) error {
			if what == "up n1" {
				bubble.Sleep(2 * time.Minute) // in the bubble
			}
			return nil
		}
		x.run(t)
		x.fails(t, "recover from kill n1: somebody else is at it")
		expectDone(t, x, "kill n1, up n1")
	})
}

func TestWipeNeedsANodeThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
phases: [ { inject: { kill: n1, for: 1s } }, { observe: 3s }, { recover: { start: n1, wipe: true } } ]
`).run(t)
		x.fails(t, "phase 3 (recover)", "n1", "up already", "lease")
		expectDone(t, x, "kill n1, up n1")
		x.allUp(t)
	})
}

func TestRecoverOfWhatWasNeverInjected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { inject: { kill: n1 } }, { recover: { start: n3 } } ]\n").run(t)
		x.fails(t, "recover n3", "in force: kill n1")
		x.allUp(t)
	})
}

var errAct = errors.New("the node does not listen")

// An act that fails ends the run; it may have been done by half, so it is taken back with the others.
func TestFailingAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
phases: [ { inject: { kill: n1 } }, { inject: { pause: n2 } }, { observe: 1h }, { recover: all } ]
`)
		x.before = func(_ context.Context, what string) error {
			if what == "pause n2" {
				return errAct
			}
			return nil
		}
		began := time.Now()
		x.run(t)
		x.fails(t, "phase 2 (inject)", "pause n2", errAct.Error())
		expectDone(t, x, "kill n1, up n2, up n1")
		x.allUp(t)
		if x.res == nil || x.res.Verdict != "aborted" || x.res.Abort.By != "error" {
			t.Errorf("result %+v", x.res)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// An act that does not come to its end has a limit.
func TestActThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { inject: { kill: n1 } }, { observe: 1h } ]\n")
		x.before = func(ctx context.Context, what string) error {
			if what == "kill n1" {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}
		x.run(t)
		x.fails(t, "inject kill n1", "not done within 1m0s")
		x.allUp(t)
	})
}

// One recovery that fails does not keep the others in force; the run does not pass, and says what to do.
func TestFailingHeal(t *testing.T) {
	for name, steps := range map[string]string{
		"in a step":       "{ recover: all }, { observe: 1h }",
		"at the end":      "{ observe: 1s }",
		"of a lease":      "{ observe: 1s }",
		"in a named step": "{ recover: { start: n2 } }, { observe: 1h }",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lease := ""
				if name == "of a lease" {
					lease = ", for: 500ms"
				}
				x := newTrial(t, "phases: [ { inject: { kill: n1 } }, { inject: { pause: n2"+lease+" } }, { inject: { stop: n3 } }, "+steps+" ]\n")
				x.before = func(_ context.Context, what string) error {
					if what == "up n2" {
						return errAct
					}
					return nil
				}
				x.run(t)
				x.fails(t, "recover from pause n2", errAct.Error(), "see the logs in "+x.dir)
				if s := x.states(); s["n1"] != "up" || s["n3"] != "up" {
					t.Errorf("left in force: %v", s)
				}
				if x.res == nil || x.res.Verdict != "aborted" {
					t.Errorf("result %+v", x.res)
				}
			})
		})
	}
}

// What a failing recovery leaves is tried again at the end.
func TestHealThatFailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { inject: { kill: n1, for: 1s } }, { observe: 3s } ]\n")
		failed := false
		x.before = func(_ context.Context, what string) error {
			if what == "up n1" && !failed {
				failed = true
				return errAct
			}
			return nil
		}
		x.run(t)
		x.verdict(t, "pass")
		x.allUp(t)
	})
}

func TestConsumersCrashAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
phases:
  - baseline: 2s
  - inject: { crash: consumer-1 }
  - observe: 2s
  - recover: all
  - inject: { crash: consumers, for: 2s }
  - observe: 5s
`).run(t)
		x.verdict(t, "pass")
		if n := len(x.res.Faults); n != 2 || x.res.Faults[0].Layer != "workload" {
			t.Errorf("faults %+v", x.res.Faults)
		}
		if x.res.Downtime.Consume < 1.5 {
			t.Errorf("consumers were down %v s, want about 2", x.res.Downtime.Consume)
		}
	})
}

// A fault whose act is never seen makes a run that is judged later unknown, not pass.
func TestFaultThatNeverStruck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { baseline: 1s }, { inject: { kill: leader } }, { observe: 1s } ]\n")
		x.lead = func(context.Context) (string, error) { return "", errAct }
		x.run(t)
		x.fails(t, "phase 2 (inject)", "kill leader", errAct.Error())
		if x.done() != "" || x.res.Verdict == "pass" {
			t.Errorf("done %q, verdict %s", x.done(), x.res.Verdict)
		}
	})
}

// While the lag of a fault is being worked off, it is not decided.
func TestUntilTheLagIsNormal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrialOf(t, head+`workload: { producers: 1, consumers: 2, rate: 100/s, size: 64B, work: 5ms }
phases:
  - baseline: 3s
  - inject: { crash: consumers, for: 30s }
  - observe: 31s
  - observe: { until: decided, max: 60s }
`).run(t)
		x.verdict(t, "pass")
		phases := x.events(t, history.Phase)
		if took := time.Duration(phases[4].At - phases[3].At); took < 6*time.Second || took > 20*time.Second {
			t.Errorf("decided after %s; 3,000 messages are worked off in some 10 s", took)
		}
	})
}

// Until decided waits for the leader, for the flow and for the lag, and no longer than its limit.
func TestUntilDecided(t *testing.T) {
	for name, c := range map[string]struct {
		steps    string
		lead     func(context.Context) (string, error)
		from, to time.Duration
	}{
		"decided": {"{ inject: { kill: n1 } }, { observe: { until: decided, max: 60s } }", nil, 2500 * time.Millisecond, 4 * time.Second},
		"no leader comes": {
			"{ inject: { kill: n1 } }, { observe: { until: decided, max: 60s } }",
			func(context.Context) (string, error) { return "", errAct }, time.Minute, time.Minute + time.Second,
		},
		"the leader is the dead one": {
			"{ inject: { kill: n1 } }, { observe: { until: decided, max: 60s } }",
			func(context.Context) (string, error) { return "n1", nil }, time.Minute, time.Minute + time.Second,
		},
		"nobody works it off": {
			"{ inject: { crash: consumers } }, { observe: { until: decided, max: 60s } }",
			nil, time.Minute, time.Minute + time.Second,
		},
		"a recovery counts from itself": {
			"{ inject: { kill: n1 } }, { recover: all }, { observe: { until: decided, max: 60s } }", nil, 2500 * time.Millisecond, 4 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTrial(t, "phases: [ { baseline: 3s }, "+c.steps+" ]\n")
				x.lead = c.lead
				x.run(t)
				if x.err != nil {
					t.Fatal(x.err)
				}
				var observe, end int64
				for _, e := range x.events(t, history.Phase) {
					switch e.Name {
					case "observe":
						observe = e.At
					case "drain":
						end = e.At
					}
				}
				if took := time.Duration(end - observe); took < c.from || took > c.to {
					t.Errorf("it took %s, want %s to %s", took, c.from, c.to)
				}
			})
		})
	}
}
