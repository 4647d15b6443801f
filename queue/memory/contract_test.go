package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func named(names ...string) []queue.Message {
	ms := make([]queue.Message, len(names))
	for i, n := range names {
		ms[i] = queue.Message{ID: n, Body: []byte(n)}
	}
	return ms
}

// names returns the IDs, as one word.
func names(ds []queue.Delivery) string {
	var all []string
	for _, d := range ds {
		all = append(all, d.ID)
	}
	return strings.Join(all, " ")
}

func must(t *testing.T, rs []queue.Result) {
	t.Helper()
	for _, r := range rs {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// next receives what is there within a second of the bubble's time, or nothing.
func next(t *testing.T, c queue.Consumer, max int) []queue.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	ds, err := c.Receive(ctx, max)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	return ds
}

func settle(t *testing.T, c queue.Consumer, how queue.Settlement, ds ...queue.Delivery) {
	t.Helper()
	if errs := c.Settle(t.Context(), how, ds); errs != nil {
		t.Fatal(errs)
	}
}

func depth(t *testing.T, q queue.Queue, ready, inFlight int64) {
	t.Helper()
	d, err := q.Depth(t.Context(), "orders", "workers")
	if err != nil || d != (queue.Depth{Ready: ready, InFlight: inFlight}) {
		t.Errorf("depth %+v, %v; want %d ready and %d in flight", d, err, ready, inFlight)
	}
}

// In a bubble, with the default of 30 s.
func TestRedeliveryExactlyAtTheAckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, p, c := open(t, memory.Config{})
		must(t, queue.Send(t.Context(), p, named("a", "b", "c")...))
		began := time.Now()
		ds := next(t, c, 2)
		settle(t, c, queue.Ack(), ds[1])
		depth(t, q, 1, 1)
		again, err := c.Receive(t.Context(), 9)
		if err != nil || names(again) != "c" {
			t.Fatalf("received %q, %v", names(again), err)
		}
		settle(t, c, queue.Ack(), again...)
		again, err = c.Receive(t.Context(), 9)
		if took := time.Since(began); err != nil || names(again) != "a" || again[0].Attempt != 2 || took != memory.DefaultAckTimeout {
			t.Errorf("received %q (%v) after %v", names(again), err, took)
		}
		settle(t, c, queue.Ack(), again...)
		depth(t, q, 0, 0)
	})
}

func TestLineAndFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, p, c := open(t, memory.Config{AckTimeout: time.Minute})
		must(t, queue.Send(t.Context(), p, named("a", "b", "c", "d", "e", "f")...))
		ds := next(t, c, 3)
		settle(t, c, queue.Nack(0), ds[0])              // a goes to the end
		settle(t, c, queue.Nack(10*time.Second), ds[1]) // b is not due for long
		if err := c.Close(t.Context()); err != nil {    // c goes to the front
			t.Fatal(err)
		}
		depth(t, q, 6, 0)
		other := consumer(t, q, "workers")
		if got := names(next(t, other, 9)); got != "c d e f a" {
			t.Errorf("received %q, want c d e f a", got)
		}
		began := time.Now()
		ds, err := other.Receive(t.Context(), 9)
		if took := time.Since(began); err != nil || names(ds) != "b" || took != 10*time.Second {
			t.Errorf("received %q after %v", names(ds), took)
		}
	})
}

func TestDelayedComeInTheOrderTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, c := open(t, memory.Config{})
		ms := named("late", "soon", "now", "soon too")
		ms[0].NotBefore = time.Now().Add(3 * time.Hour)
		ms[1].NotBefore = time.Now().Add(time.Hour)
		ms[3].NotBefore = ms[1].NotBefore
		must(t, queue.Send(t.Context(), p, ms...))
		var got []string
		began := time.Now()
		for range 3 {
			ds, err := c.Receive(t.Context(), 9)
			if err != nil {
				t.Fatal(err)
			}
			settle(t, c, queue.Ack(), ds...)
			got = append(got, fmt.Sprint(names(ds), " ", time.Since(began)))
		}
		if want := []string{"now 0s", "soon soon too 1h0m0s", "late 3h0m0s"}; !slices.Equal(got, want) {
			t.Errorf("received %q, want %q", got, want)
		}
	})
}

func TestStaleReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, p, c := open(t, memory.Config{AckTimeout: time.Minute})
		other := consumer(t, q, "workers")
		must(t, queue.Send(t.Context(), p, named("a", "b")...))
		ds := next(t, c, 2)
		stale := func(what string, c queue.Consumer, d queue.Delivery, want error) {
			t.Helper()
			if errs := c.Settle(t.Context(), queue.Ack(), []queue.Delivery{d}); len(errs) != 1 || !errors.Is(errs[0], want) {
				t.Errorf("%s: %v, want %v", what, errs, want)
			}
		}
		stale("of another consumer", other, ds[0], queue.ErrStale)
		stale("foreign", c, queue.Delivery{Receipt: 7}, queue.ErrRefused)
		stale("none", c, queue.Delivery{}, queue.ErrRefused)
		errs := c.Settle(t.Context(), queue.Ack(), []queue.Delivery{ds[0], ds[0]})
		if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], queue.ErrStale) {
			t.Errorf("twice in one call: %v", errs)
		}
		bubble.Sleep(time.Minute) // in the bubble
		stale("of an expired delivery that nobody has received since", c, ds[1], queue.ErrStale)
		depth(t, q, 1, 0)
		again := next(t, c, 1)
		stale("of the delivery before", c, ds[1], queue.ErrStale)
		settle(t, c, queue.Ack(), again...)
		depth(t, q, 0, 0)
	})
}

func TestSettleWithAnEndedContextDoesNothing(t *testing.T) {
	q, p, c := open(t, memory.Config{})
	must(t, queue.Send(t.Context(), p, named("a")...))
	ds, _ := c.Receive(t.Context(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs := c.Settle(ctx, queue.Ack(), ds)
	if len(errs) != 1 || queue.OutcomeOf(errs[0]) != queue.Failed || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("settle: %v", errs)
	}
	depth(t, q, 0, 1)
}

func TestCapacity(t *testing.T) {
	q, p, c := open(t, memory.Config{MaxMessages: 3})
	rs := queue.Send(t.Context(), p, named("a", "b", "c", "d", "e")...)
	for i, r := range rs {
		if full := errors.Is(r.Err, memory.ErrFull); full != (i >= 3) || full && queue.OutcomeOf(r.Err) != queue.Failed {
			t.Errorf("message %d: %v", i, r.Err)
		}
	}
	ds, _ := c.Receive(t.Context(), 2)
	settle(t, c, queue.Ack(), ds[1]) // not the oldest: what counts is how many there are
	rs = queue.Send(t.Context(), p, named("f", "g")...)
	if rs[0].Err != nil || rs[0].Offset != 3 || !errors.Is(rs[1].Err, memory.ErrFull) {
		t.Errorf("after one ack: %+v", rs)
	}
	depth(t, q, 2, 1)
}

func TestMaxBody(t *testing.T) {
	_, p, _ := open(t, memory.Config{MaxBody: 4})
	rs := queue.Send(t.Context(), p, named("four", "fives", "six")...)
	if rs[0].Err != nil || queue.OutcomeOf(rs[1].Err) != queue.Failed || rs[2].Err != nil || rs[2].Offset != 1 {
		t.Errorf("results %+v", rs)
	}
}

// A group that comes late gets what the topic still holds: with Keep, that is everything.
func TestLateGroup(t *testing.T) {
	for keep, want := range map[bool]string{false: "b c", true: "a b c"} {
		synctest.Test(t, func(t *testing.T) {
			q, p, c := open(t, memory.Config{Keep: keep, MaxMessages: 3})
			must(t, queue.Send(t.Context(), p, named("a", "b", "c")...))
			settle(t, c, queue.Ack(), next(t, c, 1)...)
			late := consumer(t, q, "late")
			if got := names(next(t, late, 9)); got != want {
				t.Errorf("keep %v: the late group received %q, want %q", keep, got, want)
			}
			rs := queue.Send(t.Context(), p, named("d")...)
			if full := errors.Is(rs[0].Err, memory.ErrFull); full != keep {
				t.Errorf("keep %v: a fourth message: %v", keep, rs[0].Err)
			}
		})
	}
}

func TestDedupWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, p, c := open(t, memory.Config{DedupWindow: time.Minute})
		send := func(want ...bool) {
			t.Helper()
			for i, r := range queue.Send(t.Context(), p, named("a", "b", "a", "")...) {
				if r.Err != nil || r.Duplicate != want[i] || r.Duplicate && r.Offset != int64(i%2) {
					t.Errorf("message %d: %+v, want duplicate %v", i, r, want[i])
				}
			}
		}
		send(false, false, true, false)
		settle(t, c, queue.Ack(), next(t, c, 1)...) // an acked message is remembered, too
		bubble.Sleep(time.Minute - 1)
		send(true, true, true, false)
		bubble.Sleep(time.Nanosecond)
		rs := queue.Send(t.Context(), p, named("a")...)
		if rs[0].Duplicate || rs[0].Offset != 4 {
			t.Errorf("after the window: %+v", rs)
		}
		depth(t, q, 4, 0)
	})
}

func TestOneReceiverForEachConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, c := open(t, memory.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go c.Receive(ctx, 1) // it is there to be in the way
		synctest.Wait()
		if _, err := c.Receive(ctx, 1); queue.OutcomeOf(err) != queue.Failed {
			t.Errorf("second Receive on a consumer: %v", err)
		}
	})
}

func TestBadInput(t *testing.T) {
	q, _, c := open(t, memory.Config{})
	for what, err := range map[string]error{
		"max 0":       second(c.Receive(t.Context(), 0)),
		"no topic":    second(q.Producer(t.Context(), "")),
		"no topic, c": second(q.Consumer(t.Context(), "", "g")),
		"no group":    second(q.Consumer(t.Context(), "orders", "")),
	} {
		if queue.OutcomeOf(err) != queue.Failed {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, at := range [][2]string{{"none", "workers"}, {"orders", "none"}} {
		if d, err := q.Depth(t.Context(), at[0], at[1]); err == nil || d.Total() != -1 {
			t.Errorf("depth of %q: %+v, %v", at, d, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a negative configuration did not panic")
		}
	}()
	memory.New(memory.Config{MaxMessages: -1})
}

func second[T any](_ T, err error) error { return err }

// A closed queue ends sessions and timers; what is tried on it is refused.
func TestClosedQueue(t *testing.T) {
	q, p, c := open(t, memory.Config{})
	must(t, queue.Send(t.Context(), p, named("a", "b")...))
	ds, _ := c.Receive(t.Context(), 1)
	for range 2 {
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for what, err := range map[string]error{
		"produce":  queue.Send(t.Context(), p, named("c")...)[0].Err,
		"receive":  second(c.Receive(t.Context(), 1)),
		"settle":   c.Settle(t.Context(), queue.Ack(), ds)[0],
		"producer": second(q.Producer(t.Context(), "orders")),
		"consumer": second(q.Consumer(t.Context(), "orders", "workers")),
		"depth":    second(q.Depth(t.Context(), "orders", "workers")),
	} {
		if !errors.Is(err, queue.ErrClosed) {
			t.Errorf("%s on a closed queue: %v", what, err)
		}
	}
}
