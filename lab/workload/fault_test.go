package workload_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// flaky refuses some messages before the queue takes them and loses the answer to others after it.
func flaky(seed uint64, refuse, lose float64) queue.Hooks {
	var mu sync.Mutex
	source := rand.New(rand.NewPCG(seed, 0))
	draw := func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return source.Float64()
	}
	return queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
		for i := range batch {
			switch x := draw(); {
			case x < refuse:
				done(i, queue.Result{Err: fmt.Errorf("test: %w", queue.ErrRefused)})
			case x < refuse+lose:
				next(ctx, batch[i:i+1], func(int, queue.Result) {
					done(i, queue.Result{Err: queue.ErrUnconfirmed})
				})
			default:
				next(ctx, batch[i:i+1], func(_ int, r queue.Result) { done(i, r) })
			}
		}
	}}
}

func TestRetryRepeatsTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := map[string][]queue.Message{}
		spy := queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			for _, m := range batch {
				sent[m.ID] = append(sent[m.ID], m)
			}
			next(ctx, batch, done)
		}}
		b := newBed(t, memory.Config{}, spy, flaky(3, 0.3, 0.3))
		w := b.begin(workload.Config{Consumers: 1, Rate: 100, Keys: 4})
		bubble.Sleep(3 * time.Second)
		s, drained := b.end(w)
		if s.Acked != 301 || s.FailedAttempts == 0 || s.UnknownAttempts == 0 || !drained.Proven {
			t.Errorf("%+v %s", s, drained)
		}
		if s.Attempts != s.Acked+s.FailedAttempts+s.UnknownAttempts {
			t.Errorf("attempts do not add up: %+v", s)
		}
		retried := 0
		for id, ms := range sent {
			for _, m := range ms[1:] {
				retried++
				if m.Headers[0] != ms[0].Headers[0] || string(m.Body) != string(ms[0].Body) || m.Key != ms[0].Key || !m.Timestamp.Equal(ms[0].Timestamp) {
					t.Fatalf("%s: %v was sent again as %v", id, ms[0], m)
				}
			}
		}
		if len(sent) != 301 || int64(301+retried) != s.Attempts {
			t.Errorf("%d IDs, %d retries", len(sent), retried)
		}
	})
}

func TestRetryGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		below   queue.Hooks
		failed  int64
		inDoubt int64
	}{
		"refused":        {flaky(1, 1, 0), 101, 0},
		"without answer": {flaky(1, 0, 1), 0, 101},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, memory.Config{}, c.below)
				w := b.begin(workload.Config{Rate: 100, Retry: 5 * time.Second})
				bubble.Sleep(time.Second)
				began := time.Now()
				if err := w.StopProducers(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took < 3*time.Second || took > 5*time.Second {
					t.Errorf("stopped after %s", took)
				}
				b.close(w)
				s := w.Stats()
				if s.Offered != 101 || s.Failed != c.failed || s.InDoubt != c.inDoubt || s.LastError == "" {
					t.Errorf("%+v", s)
				}
				first, last := map[uint64]int64{}, map[uint64]int64{}
				for _, e := range b.of(history.Invoke) {
					if _, ok := first[e.Identity.Seq]; !ok {
						first[e.Identity.Seq] = e.At
					}
					last[e.Identity.Seq] = e.At
				}
				for seq := range first {
					if d := time.Duration(last[seq] - first[seq]); d > 5*time.Second+10*time.Millisecond || d < 3*time.Second {
						t.Errorf("%d was tried for %s", seq, d)
					}
				}
			})
		})
	}
}

func TestNegativeRetryNeverRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{}, flaky(1, 0.5, 0))
		w := b.begin(workload.Config{Consumers: 1, Rate: 100, Retry: -1})
		bubble.Sleep(time.Second)
		if s, _ := b.end(w); s.Attempts != 101 || s.Failed == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOrderedKeysKeepTheirOrder(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		t.Run(fmt.Sprint(ordered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, memory.Config{}, flaky(9, 0.2, 0.2))
				w := b.begin(workload.Config{Producers: 2, Consumers: 1, Rate: 200, Keys: 20, Ordered: ordered})
				bubble.Sleep(10 * time.Second)
				if s, drained := b.end(w); s.Acked != 2001 || !drained.Proven {
					t.Errorf("%+v %s", s, drained)
				}
				// A message counts where it first arrives.
				first := map[queue.Identity]bool{}
				overtaken := 0
				for _, e := range b.of(history.Deliver) {
					before := e.Identity
					before.Seq -= uint64(e.Back)
					if e.Back > 0 && !first[e.Identity] && !first[before] {
						overtaken++
					}
					first[e.Identity] = true
				}
				if ordered && overtaken > 0 || !ordered && overtaken == 0 {
					t.Errorf("%d overtaken", overtaken)
				}
			})
		})
	}
}

func TestAKeyIsFreeAgainWhenItsMessageIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{}, flaky(9, 0.2, 0.2))
		w := b.begin(workload.Config{Consumers: 1, Rate: 100, Keys: 2, Ordered: true, Retry: -1})
		bubble.Sleep(10 * time.Second)
		if s, _ := b.end(w); s.Offered != 1001 || s.Failed == 0 || s.InDoubt == 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOrderedWithoutKeysIsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{}, flaky(9, 0.2, 0.2))
		w := b.begin(workload.Config{Consumers: 1, Rate: 20, Ordered: true})
		bubble.Sleep(10 * time.Second)
		b.end(w)
		next, seen := uint64(0), map[uint64]bool{}
		for _, e := range b.of(history.Deliver) {
			if seen[e.Identity.Seq] {
				continue
			}
			if e.Identity.Seq != next {
				t.Fatalf("%d came before %d", e.Identity.Seq, next)
			}
			seen[next] = true
			next++
		}
	})
}

func TestStopGivesUpWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{}, flaky(1, 1, 0))
		w := b.begin(workload.Config{Rate: 100})
		bubble.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := w.StopProducers(ctx)
		if err == nil || !strings.Contains(err.Error(), "101 of 101") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		b.close(w)
		if s := w.Stats(); s.Failed != 101 || s.Retrying+s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// hang answers nothing until the context ends, and some messages never.
func hang() queue.Hooks {
	return queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), _ queue.ProduceFunc) {
		<-ctx.Done()
		for i := range batch[:len(batch)/2] {
			done(i, queue.Result{Err: queue.ErrUnconfirmed})
		}
	}}
}

func TestADriverThatNeverAnswersEndsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{}, hang())
		w := b.begin(workload.Config{Rate: 100, Retry: time.Second})
		bubble.Sleep(time.Second)
		began := time.Now()
		if err := w.StopProducers(t.Context()); err == nil {
			t.Error("undecided messages are no error")
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
		b.close(w)
		if s := w.Stats(); s.InDoubt == 0 || s.InDoubt != s.Offered || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAResultTooManyIsCountedAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		b.queue = queue.Wrap(b.queue, queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			next(ctx, batch, func(i int, r queue.Result) {
				done(i, r)
				done(i, queue.Result{Err: queue.ErrUnconfirmed})
			})
		}})
		w := b.begin(workload.Config{Consumers: 1, Rate: 100})
		bubble.Sleep(time.Second)
		if s, _ := b.end(w); s.Acked != 101 || s.UnknownAttempts != 0 || s.BrokenResults < 100 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAccountsAlwaysAddUp is law 3 over random loads and faults.
func TestAccountsAlwaysAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		refuse := rapid.Float64Range(0, 0.6).Draw(rt, "refuse")
		lose := rapid.Float64Range(0, 0.4).Draw(rt, "lose")
		cfg := workload.Config{
			Producers: rapid.IntRange(1, 4).Draw(rt, "producers"),
			Consumers: rapid.IntRange(0, 3).Draw(rt, "consumers"),
			Rate:      rapid.Float64Range(1, 500).Draw(rt, "rate"),
			Keys:      rapid.IntRange(0, 5).Draw(rt, "keys"),
			Ordered:   rapid.Bool().Draw(rt, "ordered"),
			AckEarly:  rapid.Bool().Draw(rt, "early"),
			Retry:     rapid.SampledFrom([]time.Duration{-1, time.Millisecond, time.Second, 5 * time.Second}).Draw(rt, "retry"),
			Backlog:   rapid.IntRange(1, 100).Draw(rt, "backlog"),
			Window:    rapid.IntRange(1, 64).Draw(rt, "window"),
			Work:      rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(rt, "work"),
		}
		patience := rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(rt, "patience")
		full := rapid.SampledFrom([]int{10, 100_000}).Draw(rt, "room")
		var problem string // told outside of the bubble, so that rapid can make the case smaller
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, memory.Config{MaxMessages: full}, flaky(1, refuse, lose))
			w := b.begin(cfg)
			for range 20 {
				bubble.Sleep(100 * time.Millisecond)
				if s := w.Stats(); s.Scheduled != s.Offered+s.Waiting+s.NotSent ||
					s.Offered != s.Acked+s.Failed+s.InDoubt+s.InFlight+s.Retrying || s.Waiting > int64(cfg.Backlog*cfg.Producers) ||
					s.InFlight+s.Retrying > int64(cfg.Window*cfg.Producers) {
					problem = fmt.Sprintf("while it runs: %+v", s)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = w.StopProducers(ctx) // giving up is one of the cases
			b.close(w)
			s := w.Stats()
			if s.Offered != s.Acked+s.Failed+s.InDoubt || s.Scheduled != s.Offered+s.NotSent || s.InFlight+s.Retrying+s.Waiting != 0 {
				problem = fmt.Sprintf("at the end: %+v", s)
			}
			problem += b.accounts(s)
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// accounts compares the load's own figures with what its history says.
func (b *bed) accounts(s workload.Stats) string {
	offered, acked, processed := map[queue.Identity]bool{}, map[queue.Identity]bool{}, map[queue.Identity]bool{}
	var attempts, notSent int64
	for e := range b.events.Events() {
		switch e.Kind {
		case history.Invoke:
			offered[e.Identity] = true
			attempts++
		case history.Outcome:
			if e.Outcome == queue.OK {
				acked[e.Identity] = true
			}
		case history.Processed:
			processed[e.Identity] = true
		case history.NotSent:
			notSent += int64(e.Value)
		}
	}
	done := int64(0)
	for id := range acked {
		if processed[id] {
			done++
		}
	}
	if int64(len(offered)) != s.Offered || int64(len(acked)) != s.Acked || attempts != s.Attempts ||
		notSent != s.NotSent || done != s.Processed || s.Lag != s.Acked-done {
		return fmt.Sprintf("history: %d offered, %d acked, %d attempts, %d not sent, %d processed; the load says %+v",
			len(offered), len(acked), attempts, notSent, done, s)
	}
	return ""
}
