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

// crashUnderLoad crashes all consumers with messages in hand, brings them back, and says how many acked messages were never
// processed.
func crashUnderLoad(t *testing.T, early bool) (lost int64, evidence string, drained workload.DrainResult) {
	b := newBed(t, memory.Config{AckTimeout: 2 * time.Second}, queue.Hooks{
		Settle: func(ctx context.Context, _ *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			if ctx.Err() != nil {
				t.Error("settled after the crash")
			}
			return next(ctx, how, ds)
		}})
	w := b.begin(workload.Config{Consumers: 2, Rate: 400, Work: 10 * time.Millisecond, AckEarly: early})
	bubble.Sleep(3 * time.Second)
	evidence, err := w.Crash(t.Context(), workload.Consumers)
	if err != nil {
		t.Fatal(err)
	}
	processed := w.Stats().Work
	if n := w.Stats().InHand; n != 0 {
		t.Errorf("crashed consumers hold %d", n)
	}
	bubble.Sleep(time.Second)
	if now := w.Stats().Work; now != processed {
		t.Errorf("crashed consumers processed %d messages", now-processed)
	}
	if _, err := w.Crash(t.Context(), "consumer-2"); err == nil || !strings.Contains(err.Error(), "down already") {
		t.Errorf("crashed twice: %v", err)
	}
	if text, err := w.Restart(t.Context(), workload.Consumers); err != nil || !strings.Contains(text, "consumer-2: receives again") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := w.Restart(t.Context(), "consumer-1"); err == nil || !strings.Contains(err.Error(), "up already") {
		t.Errorf("restarted twice: %v", err)
	}
	if err := w.SetRate(50); err != nil { // or they never catch up
		t.Error(err)
	}
	bubble.Sleep(10 * time.Second)
	s, drained := b.end(w)
	return s.Lag, evidence, drained
}

func TestCrashLosesWhatWasAckedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, evidence, drained := crashUnderLoad(t, true)
		if lost < 2 || lost > 128 || !drained.Proven {
			t.Errorf("lost %d, %s", lost, drained)
		}
		if !strings.Contains(evidence, "consumer-1: crashed with") || !strings.Contains(evidence, "in hand (acked)") {
			t.Error(evidence)
		}
	})
}

func TestCrashLosesNothingThatIsAckedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, evidence, drained := crashUnderLoad(t, false)
		if lost != 0 || !drained.Proven || !strings.Contains(evidence, "in hand (not acked)") {
			t.Errorf("lost %d, %s, %s", lost, drained, evidence)
		}
	})
}

// A session that ends in a crash must not give back what it holds.
func TestCrashSaysNoFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []bool
		b := newBed(t, memory.Config{}, queue.Hooks{Close: func(ctx context.Context, s *queue.Session, next queue.CloseFunc) error {
			if s.Group != "" {
				ended = append(ended, ctx.Err() != nil)
			}
			return errors.Join(next(ctx), ctx.Err())
		}})
		w := b.begin(workload.Config{Consumers: 1, Rate: 100})
		if _, err := w.Crash(t.Context(), "consumer-1"); err != nil {
			t.Error(err)
		}
		if _, err := w.Restart(t.Context(), "consumer-1"); err != nil {
			t.Error(err)
		}
		b.end(w)
		if len(ended) != 2 || !ended[0] || ended[1] {
			t.Errorf("%v", ended)
		}
	})
}

func TestCrashOfSomebodyUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 2, Rate: 10})
		for _, do := range []func(context.Context, string) (string, error){w.Crash, w.Restart} {
			_, err := do(t.Context(), "consumer-3")
			if err == nil || !strings.Contains(err.Error(), `no consumer "consumer-3": use "consumers" or one of consumer-1, consumer-2`) {
				t.Error(err)
			}
		}
		b.end(w)
		if _, err := w.Restart(t.Context(), "consumer-1"); err == nil {
			t.Error("restarted in a closed workload")
		}
		none := b.begin(workload.Config{Rate: 10, Topic: "other"})
		if _, err := none.Crash(t.Context(), workload.Consumers); err == nil || !strings.Contains(err.Error(), "has none") {
			t.Error(err)
		}
		b.close(none)
	})
}

func TestOneConsumerCrashesAndTheOtherGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 2, Rate: 100})
		bubble.Sleep(time.Second)
		if _, err := w.Crash(t.Context(), "consumer-1"); err != nil {
			t.Fatal(err)
		}
		at := int64(time.Since(b.start))
		bubble.Sleep(time.Second)
		s, drained := b.end(w)
		if s.Processed != 201 || !drained.Proven {
			t.Errorf("%+v %s", s, drained)
		}
		for _, e := range b.of(history.Processed) {
			if e.At > at && e.Client != "consumer-2" {
				t.Fatalf("%s processed after its crash", e.Client)
			}
		}
	})
}

func TestProcessedBeforeAcked(t *testing.T) {
	for _, early := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, memory.Config{})
			w := b.begin(workload.Config{Consumers: 1, Rate: 100, Work: time.Millisecond, AckEarly: early})
			bubble.Sleep(time.Second)
			b.end(w)
			at := map[queue.Identity]int64{}
			for _, e := range b.of(history.Processed) {
				at[e.Identity] = e.At
				if e.Client != "consumer-1" || e.Group != "havoq" {
					t.Fatalf("%+v", e)
				}
			}
			for _, e := range b.of(history.Settle) {
				if e.Client != "consumer-1" || !e.Ack || early != (e.At < at[e.Identity]) {
					t.Fatalf("early %v: processed at %d, %+v", early, at[e.Identity], e)
				}
			}
		})
	}
}

// A consumer goes on while acks are slow, but only so far: one batch is being settled, four wait, and one is in its hands.
func TestSlowAcksDoNotStopTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		batches := 0
		b := newBed(t, memory.Config{}, queue.Hooks{
			Receive: func(ctx context.Context, _ *queue.Session, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
				ds, err := next(ctx, max)
				if err == nil {
					batches++
				}
				return ds, err
			},
			Settle: func(ctx context.Context, _ *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
				select {
				case <-time.After(5 * time.Second):
				case <-ctx.Done():
				}
				return next(ctx, how, ds)
			}})
		w := b.begin(workload.Config{Producers: 1, Consumers: 1, Rate: 5000, Window: 5000})
		bubble.Sleep(2 * time.Second)
		synctest.Wait()
		if s := w.Stats(); batches != 6 || s.InHand != s.Work {
			t.Errorf("after 2 s of acks that take 5 s: %d batches received, want 6; %d processed, %d in hand", batches, s.Work, s.InHand)
		}
		text, err := w.Crash(t.Context(), "consumer-1")
		if err != nil || !strings.Contains(text, "processed ones without a confirmed ack") {
			t.Errorf("%q, %v", text, err)
		}
		b.close(w)
	})
}

func TestRedeliveryIsProcessedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := 0
		b := newBed(t, memory.Config{AckTimeout: time.Second}, queue.Hooks{
			Settle: func(ctx context.Context, _ *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
				if lost < 10 {
					lost++
					errs := make([]error, len(ds))
					for i := range errs {
						errs[i] = queue.ErrUnconfirmed
					}
					return errs
				}
				return next(ctx, how, ds)
			}})
		w := b.begin(workload.Config{Consumers: 1, Rate: 50})
		bubble.Sleep(2 * time.Second)
		s, drained := b.end(w)
		if s.Redelivered < 10 || s.Work != s.Processed+s.Redelivered || s.Processed != 101 || s.SettleErrors < 10 || !drained.Proven {
			t.Errorf("%+v %s", s, drained)
		}
	})
}

func TestDamagedAndForeignAreCountedAndNotProcessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{}, queue.Hooks{
			Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
				ds, err := next(ctx, most)
				for i := range ds {
					if ds[i].ID == "7-1-5" {
						ds[i].Body = []byte("rotten")
					}
				}
				return ds, err
			}})
		w := b.begin(workload.Config{Consumers: 1, Rate: 10})
		other, err := b.memory.Producer(t.Context(), "havoq")
		if err != nil {
			t.Fatal(err)
		}
		queue.Send(t.Context(), other, queue.Message{Body: []byte("somebody else's")},
			queue.Seal(queue.Message{Body: []byte("another run's")}, queue.Envelope{Identity: queue.Identity{Run: run + 1, Producer: 1}}))
		bubble.Sleep(time.Second)
		s, drained := b.end(w)
		if s.Damaged != 1 || s.Foreign != 2 || s.Processed != 10 || s.Acked != 11 || s.Lag != 1 || !drained.Proven {
			t.Errorf("%+v %s", s, drained)
		}
		if n := len(b.of(history.Processed)); n != 10 {
			t.Errorf("%d processed", n)
		}
	})
}

func TestReceiveErrorsAreRetriedWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b0 := time.Now()
		calls, well := 0, time.Duration(0)
		b := newBed(t, memory.Config{}, queue.Hooks{
			Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
				if calls++; calls < 20 {
					return nil, errors.New("no broker")
				}
				if calls == 20 {
					well = time.Since(b0)
				}
				return next(ctx, most)
			}})
		w := b.begin(workload.Config{Consumers: 1, Rate: 10})
		bubble.Sleep(30 * time.Second)
		if s, _ := b.end(w); s.ReceiveErrors != 19 || s.Processed != 301 || well < 3*time.Second || well > 19*time.Second {
			t.Errorf("%+v; well after %s", s, well)
		}
	})
}

func TestAnEndedSessionIsOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		b := newBed(t, memory.Config{}, queue.Hooks{
			Receive: func(ctx context.Context, s *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
				if s.ID == 1 {
					ended = true
					return nil, queue.ErrClosed
				}
				return next(ctx, most)
			}})
		w := b.begin(workload.Config{Consumers: 1, Rate: 10})
		bubble.Sleep(10 * time.Second)
		if s, drained := b.end(w); !ended || s.Processed != 101 || !drained.Proven {
			t.Errorf("%+v", s)
		}
		for _, e := range b.of(history.Deliver) {
			if e.Client != "consumer-1" {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func TestBatchesFitTheAckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{AckTimeout: time.Second})
		w := b.begin(workload.Config{Consumers: 1, Rate: 50, Work: 100 * time.Millisecond})
		bubble.Sleep(20 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.StopProducers(ctx); err != nil {
			t.Error(err)
		}
		if drained := w.Drain(ctx, 30*time.Second); drained.Proven == false {
			t.Log(drained) // it is slow on purpose
		}
		b.close(w)
		if s := w.Stats(); s.Redelivered != 0 || s.SettleErrors != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestCloseFinishesWhatIsInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 1, Rate: 1000, Work: 20 * time.Millisecond})
		bubble.Sleep(time.Second)
		if w.Stats().InHand == 0 {
			t.Error("nothing in hand")
		}
		b.close(w)
		s := w.Stats()
		if s.InHand != 0 || s.Work != s.Delivered {
			t.Errorf("%+v", s)
		}
		b.close(w) // again
	})
}

func TestCloseWithAnEndedContextDropsWhatIsInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 1, Rate: 1000, Work: 20 * time.Millisecond})
		bubble.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Close(ctx); err == nil || !strings.Contains(err.Error(), "close consumer-1: dropped what it had in hand") {
			t.Errorf("%v", err)
		}
		if s := w.Stats(); s.InHand != 0 || s.Work == s.Delivered || s.Offered != s.Acked+s.Failed+s.InDoubt {
			t.Errorf("%+v", s)
		}
	})
}

func TestSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 1, Rate: 100})
		if _, err := w.Crash(t.Context(), "consumer-1"); err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(2*time.Second + time.Millisecond)
		if _, err := w.Restart(t.Context(), "consumer-1"); err != nil {
			t.Fatal(err)
		}
		b.end(w)
		var lag []float64
		count := map[string]int{}
		for _, e := range b.of(history.Sample) {
			count[e.Name]++
			if e.Name == "lag" {
				if lag = append(lag, e.Value); e.Group != "havoq" {
					t.Errorf("%+v", e)
				}
			}
		}
		if count["lag"] < 8 || count["lag"] != count["backlog"] || count["lag"] != count["inflight"] {
			t.Errorf("%v", count)
		}
		for i, v := range lag[:8] {
			if want := float64(i+1)*25 + 1; v < want-2 || v > want {
				t.Errorf("sample %d: lag %v, not about %v", i, v, want)
			}
		}
		if lag[len(lag)-1] != 0 {
			t.Errorf("the last lag is %v", lag[len(lag)-1])
		}
	})
}
