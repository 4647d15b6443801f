package observe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/observe"
	"github.com/havoqlab/havoq/queue"
)

func inBubble(t *testing.T, f func(t *testing.T, x *trial)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newTrial(t)) })
}

func TestWhatIsSeenIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.during(t, func() {
			bubble.Sleep(time.Second)
			x.send("orders", "a", "b", "c")
			synctest.Wait()
			x.send("invoices", "b", "a")
			x.table.add("a", "b", "c")
		})
		if s := x.observer.Stats(); s.Input != 3 || s.Lag != 1 || s.Processed != 2 || s.Work != 5 {
			t.Errorf("stats %+v", s)
		}
		if d := x.drain(t); !d.Proven || !strings.Contains(d.Reason, `"billing" has finished all`) {
			t.Errorf("drained: %+v", d)
		}
		x.expect(t, append(account(), history.Source, history.Drain, history.Gap),
			"|topic orders|reordered, failed_but_delivered",
			"topic invoices|topic invoices|redelivered, reordered, corrupted, failed_but_delivered, late",
			"table orders|table orders|redelivered, reordered, corrupted, failed_but_delivered, late",
			"sent 0 ok", "sent 1 ok", "sent 2 ok", "topic invoices 1", "topic invoices 0",
			"table orders 0", "table orders 1", "table orders 2", "topic invoices ok 0", "table orders ok 0")
		lag := 0.0
		for e := range x.told.Events() {
			if e.Kind == history.Invoke && (e.Identity.Run != 7 || e.Intended != int64(time.Second)) {
				t.Errorf("an input is told as %+v", e)
			}
			if e.Kind == history.Sample {
				lag = e.Value
			}
		}
		if lag != 1 {
			t.Errorf("the last lag is %v", lag)
		}
	})
}

// When a message was sent is the sender's word, within reason.
func TestWhenItWasSent(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.during(t, func() {
			bubble.Sleep(10 * time.Second)
			start := x.told.Start
			for _, at := range []time.Time{start.Add(4 * time.Second), start.Add(-time.Hour), start.Add(time.Hour), {}} {
				x.sendAt(at, "orders", at.String())
			}
		})
		var got []time.Duration
		for e := range x.told.Events() {
			if e.Kind == history.Invoke {
				got = append(got, time.Duration(e.Intended))
			}
		}
		if want := []time.Duration{4 * time.Second, 1, 10 * time.Second, 10 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("sent at %v, want %v", got, want)
		}
	})
}

func TestTwiceIsToldTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.during(t, func() {
			x.send("orders", "a")
			x.send("invoices", "a", "a")
			x.table.add("a")
			x.settle()
			x.table.add("a")
		})
		x.expect(t, account(), "sent 0 ok", "topic invoices 0", "topic invoices 0", "table orders 0", "table orders 0")
	})
}

// The readers do not wait for each other, and an effect may be read before its cause.
func TestNoEffectBeforeItsCause(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.during(t, func() {
			x.send("invoices", "a", "ghost")
			x.table.add("a")
			x.settle()
			x.expect(t, account())
			if s := x.observer.Stats(); s.Held != 3 {
				t.Errorf("stats %+v", s)
			}
			x.send("orders", "a")
		})
		x.expect(t, account(), "sent 0 ok", "topic invoices 0", "table orders 0")
		x.drain(t)
		x.expect(t, account(), "sent 0 ok", "topic invoices 0", "table orders 0", "topic invoices 1") // and 1 was never sent
	})
}

func TestWhatWasThereBeforeIsNotJudged(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.send("orders", "old", "under way")
		x.send("invoices", "old")
		x.table.add("old", "older")
		x.during(t, func() {
			x.send("orders", "new")
			x.send("invoices", "under way", "new")
			x.table.add("under way", "new", "old")
		})
		if s := x.observer.Stats(); s.Input != 1 || s.Aside != 2 || s.Late != 0 || s.Before != 3 || s.Lag != 0 {
			t.Errorf("stats %+v", s)
		}
		x.drain(t)
		x.expect(t, account(), "sent 0 ok", "topic invoices 0", "table orders 0")
	})
}

// On a broker of havoq's own nothing is of before the run, although the application may send before havoq reads.
func TestAFreshBrokerHasNoBefore(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.cfg.Fresh = true
		x.send("orders", "a")
		x.send("invoices", "a")
		x.during(t, func() {})
		x.expect(t, account(), "sent 0 ok", "topic invoices 0")
	})
}

// A listing that the application itself serves cannot be looked at before it is up.
func TestALateFirstListing(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.table.fail(errDown)
		x.table.add("long ago", "a")
		x.during(t, func() {
			x.send("orders", "a", "b")
			synctest.Wait()
			x.table.fail(nil)
			x.settle()
			x.table.add("b", "ghost")
		})
		x.drain(t)
		x.expect(t, account(), "sent 0 ok", "sent 1 ok", "table orders 0", "table orders 1", "table orders 2")
		if s := x.observer.Stats(); s.Before != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestFurtherOutputsAreNoRepetition(t *testing.T) {
	sent := []string{"a/1", "a/2", "b/3", "a/1", "b/4", "b/4"}
	for name, c := range map[string]struct {
		own  string
		want []string
		see  bool
	}{
		"by their own IDs": {"header.own", []string{"topic invoices 0", "topic invoices 1", "topic invoices 0", "topic invoices 1"}, true},
		"not told apart":   {"", []string{"topic invoices 0", "topic invoices 1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				x.cfg.Output.Relation, x.cfg.Effect = observe.OneToMany, nil
				if c.own != "" {
					own := expression(t, c.own)
					x.cfg.Output.Own = &own
				}
				x.during(t, func() {
					x.send("orders", "a", "b")
					synctest.Wait()
					x.send("invoices", sent...)
				})
				x.expect(t, []history.Kind{history.Processed}, c.want...)
				if blind := x.stories(history.Source)[1]; strings.Contains(blind, "duplicated") == c.see {
					t.Errorf("the source is %q", blind)
				}
			})
		})
	}
}

func TestAFilteredOutputIsBlindToLoss(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.cfg.Output.Relation, x.cfg.Effect = observe.Filtered, nil
		x.during(t, func() { x.send("orders", "a", "b") })
		if s := x.observer.Stats(); s.Lag != 0 {
			t.Errorf("stats %+v", s)
		}
		if blind := x.stories(history.Source)[1]; !strings.Contains(blind, "late, lost") {
			t.Errorf("the source is %q", blind)
		}
		if d := x.drain(t); !d.Proven {
			t.Errorf("drained: %+v", d)
		}
		x.expect(t, []history.Kind{history.Drain}, "topic invoices unknown -1") // what is missing may be lost
	})
}

func TestTheCutEndsWhatIsJudged(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.during(t, func() { x.send("orders", "a") })
		if err := x.observer.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.send("orders", "behind")
		x.send("invoices", "a", "behind")
		x.table.add("behind", "a")
		if d := x.observer.Drain(t.Context(), time.Minute); !d.Proven {
			t.Errorf("drained: %+v", d)
		}
		x.expect(t, append(account(), history.Drain), "sent 0 ok", "topic invoices 0", "table orders 0", "topic invoices ok 0", "table orders ok 0")
		if s := x.observer.Stats(); s.Aside != 1 || s.Late != 1 || s.Before != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestWithoutAGroupTheGraceDecides(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.cfg.Group, x.cfg.Grace, x.cfg.Effect = "", 7*time.Second, nil
		x.during(t, func() { x.send("orders", "a") })
		go func() {
			bubble.Sleep(5 * time.Second)
			x.send("invoices", "a")
		}()
		began := time.Now()
		d := x.drain(t)
		if took := time.Since(began); !d.Proven || took < 12*time.Second || took > 14*time.Second {
			t.Errorf("drained after %s: %+v", took, d)
		}
		if !strings.Contains(d.Reason, "by grace alone: nothing new was seen for 7s") {
			t.Errorf("the reason is %q", d.Reason)
		}
	})
}

func TestWhatIsNotDrained(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(x *trial)
		left  int64
		want  string
	}{
		"the group is behind":   {func(x *trial) { x.left = 3 }, 3, `the broker says that "billing" has up to 3 messages left`},
		"the group acks not":    {func(x *trial) { x.left = -1 }, -1, `cannot say how far "billing" is`},
		"no such group":         {func(x *trial) { x.left, x.asked = -1, errors.New(`no consumer "billing"`) }, -1, `no consumer "billing"`},
		"the broker is down":    {func(x *trial) { x.down = errDown }, -1, errDown.Error()},
		"nothing can be listed": {func(x *trial) { x.table.fail(errDown) }, 0, "table orders could not be listed: " + errDown.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				x.during(t, func() { x.send("orders", "a") })
				if err := x.observer.Cut(t.Context()); err != nil {
					t.Fatal(err)
				}
				x.set(func() { c.spoil(x) })
				d := x.observer.Drain(t.Context(), 30*time.Second)
				if d.Proven || d.Left != c.left || !strings.Contains(d.Reason, c.want) || !strings.Contains(d.Reason, "no progress for 30s") {
					t.Errorf("drained: %+v", d)
				}
				for _, end := range x.stories(history.Drain) {
					if !strings.Contains(end, "unknown") {
						t.Errorf("told %q", end)
					}
				}
			})
		})
	}
}

func TestADrainThatIsCutShort(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.during(t, func() { x.set(func() { x.left = 1 }) })
		ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, errors.New("a person has had enough"))
		defer cancel()
		if err := x.observer.Cut(ctx); err != nil {
			t.Fatal(err)
		}
		if d := x.observer.Drain(ctx, time.Minute); d.Proven || !strings.Contains(d.Reason, "a person has had enough") || d.Took > 4*time.Second {
			t.Errorf("drained: %+v", d)
		}
		x.set(func() { x.down = errDown })
		if err := x.observer.Cut(ctx); err == nil || !strings.Contains(err.Error(), errDown.Error()) {
			t.Errorf("a cut without a broker: %v", err)
		}
	})
}

func TestATopicThatIsNotThere(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		delete(x.topics, "invoices")
		observer, err := observe.Open(t.Context(), x.cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Second, errors.New("not done within 20s"))
		defer cancel()
		if err := observer.Start(ctx); !errors.Is(err, queue.ErrNoTopic) || !strings.Contains(err.Error(), "observe.output.topic") ||
			!strings.Contains(err.Error(), "20s") {
			t.Errorf("started: %v", err)
		}
		if err := observer.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	inBubble(t, func(t *testing.T, x *trial) { // it comes late
		delete(x.topics, "orders")
		go func() {
			bubble.Sleep(10 * time.Second)
			x.send("orders", "a")
		}()
		x.during(t, func() {})
		x.expect(t, account(), "sent 0 ok")
	})
}

func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*observe.Config){
		"no recorder": func(c *observe.Config) { c.Recorder = nil },
		"no queue":    func(c *observe.Config) { c.Queue = nil },
		"no input":    func(c *observe.Config) { c.Input.Name = "" },
		"no effect":   func(c *observe.Config) { c.Output, c.Effect = nil, nil },
	} {
		inBubble(t, func(t *testing.T, x *trial) {
			spoil(&x.cfg)
			if _, err := observe.Open(t.Context(), x.cfg); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
	}
	inBubble(t, func(t *testing.T, x *trial) {
		x.down = errDown
		if _, err := observe.Open(t.Context(), x.cfg); !errors.Is(err, errDown) {
			t.Errorf("opened without a broker: %v", err)
		}
	})
}

// A file that the application never wrote proves no loss, whatever the broker says; it accuses nobody beside it either.
func TestWhatWasNeverThereProvesNoLoss(t *testing.T) {
	missing := fmt.Errorf("%w: the file ./nope.db is not there", observe.ErrNothingYet)
	for name, c := range map[string]struct {
		first, then error
		want        string
	}{
		"never there": {missing, missing, "was never there ("},
		"gone again":  {nil, missing, "was there, and is no more ("},
		"late":        {missing, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				x.table.fail(c.first)
				x.during(t, func() { x.send("orders", "a"); x.send("invoices", "a") })
				x.table.fail(c.then)
				d := x.drain(t)
				ends := x.drains()
				if e := ends["topic invoices"]; !d.Proven || e.Outcome != queue.OK {
					t.Errorf("drained: %+v, invoices: %+v", d, e)
				}
				e := ends["table orders"]
				if proven := e.Outcome == queue.OK; proven != (c.want == "") || !strings.Contains(e.Detail, c.want) {
					t.Errorf("the table's end: %+v", e)
				}
				for _, part := range []string{"./nope.db", "looks", "seen from the scenario file"} {
					if c.want != "" && !strings.Contains(e.Detail, part) {
						t.Errorf("%q does not say %q", e.Detail, part)
					}
				}
			})
		})
	}
}
