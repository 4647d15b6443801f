package workload_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// deaf is a queue that answers questions for its depth as told.
type deaf struct {
	queue.Queue
	caps  queue.Caps
	depth func() (queue.Depth, error)
}

func (d *deaf) Caps() queue.Caps { return d.caps }
func (d *deaf) Depth(context.Context, string, string) (queue.Depth, error) {
	return d.depth()
}

func (b *bed) stop(w *workload.Workload) {
	b.Helper()
	if err := w.StopProducers(b.Context()); err != nil {
		b.Error(err)
	}
}

func (b *bed) drainEvent() history.Event {
	b.Helper()
	events := b.of(history.Drain)
	if len(events) != 1 {
		b.Fatalf("%d drain events", len(events))
	}
	return events[0]
}

func TestDrainProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 1, Rate: 200, Work: 20 * time.Millisecond})
		bubble.Sleep(2 * time.Second)
		b.stop(w)
		r := w.Drain(t.Context(), 10*time.Second)
		b.close(w)
		s := w.Stats()
		// 401 messages at 20 ms each take 8 s.
		if !r.Proven || r.Left != 0 || r.Took < 5*time.Second || r.Took > 7*time.Second || s.Lag != 0 || !strings.HasPrefix(r.String(), "drained in ") {
			t.Errorf("%s %+v", r, s)
		}
		if e := b.drainEvent(); e.Outcome != queue.OK || e.Value != 0 || e.Group != "havoq" || e.Detail == "" {
			t.Errorf("%+v", e)
		}
	})
}

func TestDrainThatGetsOnMayTakeLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 1, Rate: 200, Work: 20 * time.Millisecond})
		bubble.Sleep(2 * time.Second)
		b.stop(w)
		r := w.Drain(t.Context(), 2*time.Second)
		b.close(w)
		if !r.Proven || r.Took < 5*time.Second {
			t.Errorf("%s", r)
		}
	})
}

func TestADepthThatFallsIsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		left := int64(30)
		b.queue = &deaf{b.queue, queue.Caps{Driver: "slow", Depth: true}, func() (queue.Depth, error) {
			left = max(0, left-1)
			return queue.Depth{Ready: left}, nil
		}}
		w := b.begin(workload.Config{Consumers: 1, Rate: 10})
		b.stop(w)
		r := w.Drain(t.Context(), time.Second)
		b.close(w)
		if !r.Proven || r.Took < 2*time.Second {
			t.Errorf("%s", r)
		}
	})
}

func TestNotDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 1, Rate: 100})
		if _, err := w.Crash(t.Context(), "consumer-1"); err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(time.Second)
		if r := w.Drain(t.Context(), time.Second); r.Proven || r.Left != -1 || !strings.Contains(r.Reason, "still running") {
			t.Errorf("%+v", r)
		}
		b.stop(w)
		r := w.Drain(t.Context(), 3*time.Second)
		b.close(w)
		if r.Proven || r.Left != 101 || r.Took < 3*time.Second || r.Took > 4*time.Second ||
			!strings.Contains(r.Reason, "no progress for 3s; the broker says 101 left") ||
			!strings.Contains(r.Reason, "101 acknowledged messages are not processed (7-1-0, 7-1-1, 7-1-2)") {
			t.Errorf("%s", r)
		}
		for i, e := range b.of(history.Drain) {
			if want := []float64{-1, 101}[i]; e.Outcome != queue.Unknown || e.Value != want {
				t.Errorf("%+v", e)
			}
		}
	})
}

func TestDrainWithoutAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		depth   bool
		answer  queue.Depth
		err     error
		reason  string
		atLeast time.Duration
		atMost  time.Duration
	}{
		"an error":       {true, queue.Depth{}, errors.New("no leader"), "did not say how many are left: no leader", 5 * time.Second, 6 * time.Second},
		"half an answer": {true, queue.Depth{Ready: 0, InFlight: -1}, nil, "cannot say how many are left", 5 * time.Second, 6 * time.Second},
		"cannot say":     {false, queue.Depth{}, nil, "mute cannot say how many messages", 2 * time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, memory.Config{})
				b.queue = &deaf{b.queue, queue.Caps{Driver: "mute", Depth: c.depth}, func() (queue.Depth, error) { return c.answer, c.err }}
				w := b.begin(workload.Config{Consumers: 1, Rate: 100})
				bubble.Sleep(time.Second)
				b.stop(w)
				r := w.Drain(t.Context(), 5*time.Second)
				b.close(w)
				if r.Proven || r.Left != -1 || !strings.Contains(r.Reason, c.reason) || r.Took < c.atLeast || r.Took > c.atMost {
					t.Errorf("%s (%s)", r, r.Took)
				}
				if e := b.drainEvent(); e.Outcome != queue.Unknown || e.Value != -1 {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// One empty answer may be a moment between two deliveries, and an empty queue says nothing of what consumers acked early.
func TestDrainWantsTwoEmptyAnswersAndEmptyHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 1, Rate: 60, Work: 100 * time.Millisecond, AckEarly: true})
		bubble.Sleep(time.Second)
		b.stop(w)
		r := w.Drain(t.Context(), 2*time.Second) // but it gets on all the time
		if s := w.Stats(); !r.Proven || s.Lag != 0 || s.Processed != 61 || s.InHand != 0 {
			t.Errorf("%s, %+v", r, s)
		}
		b.close(w)
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		asked := 0
		b.queue = &deaf{b.queue, queue.Caps{Driver: "hasty", Depth: true}, func() (queue.Depth, error) {
			asked++
			return queue.Depth{Ready: int64(1 - asked%2)}, nil // every other answer is empty
		}}
		w := b.begin(workload.Config{Consumers: 1, Rate: 10})
		b.stop(w)
		r := w.Drain(t.Context(), 2*time.Second)
		b.close(w)
		if r.Proven {
			t.Errorf("%s", r)
		}
	})
}

func TestDrainIsCutShortByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Rate: 10})
		c, err := b.memory.Consumer(t.Context(), "havoq", "havoq") // so that the group exists, and takes nothing
		if err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(time.Second)
		b.stop(w)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := w.Drain(ctx, time.Minute)
		if r.Proven || r.Left != 11 || r.Took > 1100*time.Millisecond || !strings.Contains(r.Reason, "cut short") {
			t.Errorf("%s", r)
		}
		b.close(w)
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
