package queuetest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
	"github.com/havoqlab/havoq/queue/queuetest"
)

// The hooks' shapes, without the session.
type (
	doneFunc    = func(int, queue.Result)
	produceHook = func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc)
	receiveHook = func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error)
	settleHook  = func(ctx context.Context, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error
)

// defect is a small breach of a contract and the tests that must see it.
type defect struct {
	name  string
	plant func(queue.Queue) queue.Queue
	seen  []string
	dedup time.Duration // Config.DedupWindow: it would hide a second copy
}

func produce(h produceHook) func(queue.Queue) queue.Queue {
	return wrap(queue.Hooks{
		Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			h(ctx, batch, done, next)
		},
	})
}

func receive(h receiveHook) func(queue.Queue) queue.Queue {
	return wrap(queue.Hooks{
		Receive: func(ctx context.Context, _ *queue.Session, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			return h(ctx, max, next)
		},
	})
}

func settle(h settleHook) func(queue.Queue) queue.Queue {
	return wrap(queue.Hooks{
		Settle: func(ctx context.Context, _ *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			return h(ctx, how, ds, next)
		},
	})
}

func wrap(h queue.Hooks) func(queue.Queue) queue.Queue {
	return func(q queue.Queue) queue.Queue { return queue.Wrap(q, h) }
}

// each changes the deliveries of every Receive.
func each(change func(d *queue.Delivery)) func(queue.Queue) queue.Queue {
	return receive(func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
		ds, err := next(ctx, max)
		for i := range ds {
			change(&ds[i])
		}
		return ds, err
	})
}

func ignore(int, queue.Result) {}

func producerDefects() []defect {
	return []defect{
		{"drops a message", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			next(ctx, batch[1:], func(i int, r queue.Result) { done(i+1, r) })
			done(0, queue.Result{})
		}), []string{"round-trip", "order", "concurrent-use", "depth", "producer-close-flushes"}, 0},
		{"stores a message twice", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			next(ctx, batch, done)
			next(ctx, batch[:1], ignore)
		}), []string{"round-trip", "group-shares", "depth"}, 0},
		{"stores a batch backwards", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			last := len(batch) - 1
			back := slices.Clone(batch)
			slices.Reverse(back)
			next(ctx, back, func(i int, r queue.Result) { done(last-i, r) })
		}), []string{"batch-order"}, 0},
		{"calls done twice", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			next(ctx, batch, func(i int, r queue.Result) { done(i, r); done(i, r) })
		}), []string{"round-trip", "produce-after-close", "produce-cancelled"}, 0},
		{"forgets done after an end", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			next(ctx, batch, func(i int, r queue.Result) {
				if r.Err == nil {
					done(i, r)
				}
			})
		}), []string{"produce-cancelled", "produce-after-close", "too-large"}, 0},
		{"says ok for what a context stopped", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			next(ctx, batch, func(i int, r queue.Result) {
				if ctx.Err() != nil {
					r.Err = nil
				}
				done(i, r)
			})
		}), []string{"produce-cancelled", "produce-interrupted"}, 0},
		{"says failed for what it stored", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			next(context.WithoutCancel(ctx), batch, func(i int, r queue.Result) {
				if ctx.Err() != nil {
					r.Err = queue.ErrRefused
				}
				done(i, r)
			})
		}), []string{"produce-cancelled", "produce-interrupted"}, 0},
		{"keeps the batch after done", keepsBatch, []string{"batch-is-lent"}, 0},
		{"ends without a look at what is under way", func(q queue.Queue) queue.Queue {
			return queue.Wrap(q, queue.Hooks{Close: func(ctx context.Context, _ *queue.Session, next queue.CloseFunc) error {
				ended, cancel := context.WithCancel(ctx)
				cancel()
				_ = next(ended)
				return nil
			}})
		}, []string{"producer-close-during-done"}, 0},
		{"ignores NotBefore", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			now := slices.Clone(batch)
			for i := range now {
				now[i].NotBefore = time.Time{}
			}
			next(ctx, now, done)
		}), []string{"not-before"}, 0},
		{"hides duplicates", produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
			next(ctx, batch, func(i int, r queue.Result) { r.Duplicate = false; done(i, r) })
		}), []string{"dedup"}, time.Minute},
	}
}

// keepsBatch stores references to the caller's memory.
func keepsBatch(q queue.Queue) queue.Queue {
	var kept sync.Map
	storing := produce(func(ctx context.Context, batch []queue.Message, done doneFunc, next queue.ProduceFunc) {
		for _, m := range batch {
			kept.Store(m.ID, m)
		}
		next(ctx, batch, done)
	})
	reading := each(func(d *queue.Delivery) {
		m, _ := kept.Load(d.ID)
		d.Body, d.Headers = m.(queue.Message).Body, m.(queue.Message).Headers
	})
	return reading(storing(q))
}

func consumerDefects() []defect {
	return []defect{
		{"delivers twice", each2(), []string{"round-trip"}, 0},
		{"delivers backwards", receive(func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, max)
			slices.Reverse(ds)
			return ds, err
		}), []string{"order", "batch-order"}, 0},
		{"hands out more than max", receive(func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			return next(ctx, max+1)
		}), []string{"max-is-a-bound"}, 0},
		{"returns neither delivery nor error", receive(func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, max)
			if errors.Is(err, queue.ErrClosed) || err == nil {
				return ds, err
			}
			return nil, nil
		}), []string{"receive-cancelled"}, 0},
		{"loses what a cancelled receive had", receive(func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(context.WithoutCancel(ctx), max)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return ds, err
		}), []string{"receive-cancelled"}, 0},
		{"does not heed the context", receive(func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			return next(context.WithoutCancel(ctx), max)
		}), []string{"receive-cancelled"}, 0},
		{"has another error for closed", receive(func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, max)
			if errors.Is(err, queue.ErrClosed) {
				err = errors.New("use of closed connection")
			}
			return ds, err
		}), []string{"close-while-receiving"}, 0},
		{"flips a bit", each(func(d *queue.Delivery) {
			if d.Body = slices.Clone(d.Body); len(d.Body) > 0 {
				d.Body[len(d.Body)-1] ^= 1
			}
		}), []string{"round-trip", "large-body"}, 0},
		{"keeps one header of a key", each(func(d *queue.Delivery) {
			d.Headers = slices.CompactFunc(slices.Clone(d.Headers), func(a, b queue.Header) bool { return a.Key == b.Key })
		}), []string{"headers"}, 0},
		{"sorts headers", each(func(d *queue.Delivery) {
			d.Headers = slices.Clone(d.Headers)
			slices.SortStableFunc(d.Headers, func(a, b queue.Header) int { return int(a.Key[0]) - int(b.Key[0]) })
		}), []string{"header-order"}, 0},
		{"shows its own header", each(func(d *queue.Delivery) {
			d.Headers = append(slices.Clip(d.Headers), queue.Header{Key: "Driver-Key", Value: d.Key})
		}), []string{"round-trip"}, 0},
		{"counts no attempts", each(func(d *queue.Delivery) { d.Attempt = 1 }), []string{"nack", "ack-timeout", "consumer-close-gives-back"}, 0},
		{"invents IDs", each(func(d *queue.Delivery) {
			if d.ID == "" {
				d.ID = "made-up"
			}
		}), []string{"no-id"}, 0},
		{"loses the timestamp", each(func(d *queue.Delivery) { d.Timestamp = time.Now() }), []string{"timestamp"}, 0},
	}
}

// each2 delivers the first message of a session a second time, within max.
func each2() func(queue.Queue) queue.Queue {
	var last atomic.Pointer[queue.Delivery]
	return receive(func(ctx context.Context, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
		if d := last.Swap(nil); d != nil {
			return []queue.Delivery{*d}, nil
		}
		ds, err := next(ctx, max)
		if len(ds) > 0 {
			last.Store(&ds[0])
		}
		return ds, err
	})
}

func settlingDefects() []defect {
	return []defect{
		{"acks nothing", settle(func(ctx context.Context, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			if how.Ack {
				return nil
			}
			return next(ctx, how, ds)
		}), []string{"acked-stays-acked", "settle-some", "depth", "stale-ack"}, 0},
		{"acks all but the first", settle(func(ctx context.Context, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			return next(ctx, how, ds[min(1, len(ds)-1):])
		}), []string{"acked-stays-acked"}, 0},
		{"acks what is nacked", settle(func(ctx context.Context, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			return next(ctx, queue.Ack(), ds)
		}), []string{"nack", "nack-delay"}, 0},
		{"nacks at once", settle(func(ctx context.Context, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			how.After = 0
			return next(ctx, how, ds)
		}), []string{"nack-delay"}, 0},
		{"settles nothing after Close, and says nothing", settle(func(ctx context.Context, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			_ = next(ctx, how, ds)
			return nil
		}), []string{"settle-after-close"}, 0},
		{"has one error for many", settle(func(ctx context.Context, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			return []error{errors.Join(next(ctx, how, ds)...)}
		}), []string{"round-trip"}, 0},
	}
}

func planted(plant func(queue.Queue) queue.Queue, c memory.Config) queuetest.Harness {
	if c.AckTimeout == 0 {
		c.AckTimeout = 2 * time.Second
	}
	return queuetest.Harness{
		Bubble: true,
		Open:   func(testing.TB) queue.Queue { return plant(memory.New(c)) },
	}
}

// TestPlantedDefects: the suite sees every breach, in the tests that are there for it.
func TestPlantedDefects(t *testing.T) {
	for _, d := range slices.Concat(producerDefects(), consumerDefects(), settlingDefects(), connectionDefects()) {
		t.Run(d.name, func(t *testing.T) {
			h := planted(d.plant, memory.Config{MaxBody: 64 << 10, DedupWindow: d.dedup})
			failed := queuetest.Failures(t, h)
			for _, name := range d.seen {
				if failed[name] == "" {
					t.Errorf("%s does not see it; seen by %q", name, failed)
				}
			}
			t.Logf("seen by %d tests: %v", len(failed), failed)
		})
	}
}

// TestBoasts: what Caps declares and the queue does not do is seen.
func TestBoasts(t *testing.T) {
	failed := queuetest.Failures(t, planted(func(q queue.Queue) queue.Queue { return boaster{q} }, memory.Config{}))
	for _, name := range []string{"dedup", "too-large"} {
		if failed[name] == "" {
			t.Errorf("%s does not see it; seen by %q", name, failed)
		}
	}
}

// TestSoundQueue: the recorder itself reports nothing.
func TestSoundQueue(t *testing.T) {
	same := func(q queue.Queue) queue.Queue { return q }
	if failed := queuetest.Failures(t, planted(same, memory.Config{})); len(failed) > 0 {
		t.Errorf("failed: %q", failed)
	}
}
