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

// slow answers each batch after a time, while the next one is taken, as a broker does.
func slow(d time.Duration) queue.Hooks {
	return queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
		time.AfterFunc(d, func() { next(ctx, batch, done) })
	}}
}

func TestBenchMeasuresTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []workload.BenchProgress
		// 2 producers with 100 on the way, 10 ms each: 20,000/s.
		r, err := workload.Bench(t.Context(), workload.BenchConfig{
			Queue: queue.Wrap(memory.New(memory.Config{}), slow(10*time.Millisecond)), Producers: 2, Consumers: 2, InFlight: 100,
			Size: 100, WarmUp: time.Second, Duration: 3 * time.Second,
			Progress: func(p workload.BenchProgress) { told = append(told, p) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.SentPerSecond < 19_000 || r.SentPerSecond > 20_500 || r.ReceivedPerSecond < 19_000 || r.ReceivedPerSecond > 20_500 || r.Took != 3*time.Second {
			t.Errorf("%+v", r)
		}
		if r.Ack.Count != r.Sent || r.Ack.P50 < 9990*time.Microsecond || r.Ack.P99 > 11*time.Millisecond || r.EndToEnd.Count != r.Received {
			t.Errorf("%+v", r)
		}
		if r.Errors() != 0 || r.Left != 0 || r.Recorded {
			t.Errorf("%+v", r)
		}
		if len(told) < 3 || !told[0].WarmUp || told[2].WarmUp || told[2].SentPerSecond < 19_000 {
			t.Errorf("%+v", told)
		}
		if text := r.String(); !strings.Contains(text, "memory: closed loop, 2 producers × 100 in flight, 2 consumers, 100 B, recording off") ||
			!strings.Contains(text, "errors: 0\n") {
			t.Error(text)
		}
	})
}

func TestBenchCountsMessages(t *testing.T) {
	for _, warmUp := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			events := &history.Memory{Start: time.Now()}
			r, err := workload.Bench(t.Context(), workload.BenchConfig{
				Queue:     queue.Wrap(memory.New(memory.Config{}), flaky(1, 0.01, 0.01), slow(time.Millisecond)),
				Producers: 3, Consumers: 1, InFlight: 10, Messages: 12_345, WarmUp: warmUp, Run: 1, Recorder: events,
			})
			if err != nil {
				t.Fatal(err)
			}
			lost := r.UnknownAttempts // taken twice: received more often than sent, the last ones perhaps after the window
			if r.Sent != 12_345 || r.Received < 12_345 || r.Received > 12_345+lost || r.FailedAttempts < 50 || r.UnknownAttempts < 50 || !r.Recorded || r.Left != 0 {
				t.Errorf("%+v", r)
			}
			if r.Ack.Max < 10*time.Millisecond { // a retry waits
				t.Errorf("%+v", r.Ack)
			}
			if text := r.String(); !strings.Contains(text, "recording on") || !strings.Contains(text, "sends refused: ") {
				t.Error(text)
			}
			if events.Len() < 5*12_345 {
				t.Errorf("%d events", events.Len())
			}
		})
	}
}

func TestBenchHoldsBackWhereConsumersAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.Wrap(memory.New(memory.Config{}), slow(time.Millisecond), queue.Hooks{
			Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
				bubble.Sleep(10 * time.Millisecond)
				return next(ctx, 1) // 100/s
			}})
		r, err := workload.Bench(t.Context(), workload.BenchConfig{Queue: q, Producers: 1, Consumers: 1, InFlight: 10, Duration: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if r.Sent > 20*100+1000+200 || r.ReceivedPerSecond < 95 {
			t.Errorf("%+v", r)
		}
	})
}

func TestBenchEndsEarlyWithWhatThereIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		r, err := workload.Bench(ctx, workload.BenchConfig{
			Queue: queue.Wrap(memory.New(memory.Config{}), slow(time.Millisecond)), Producers: 1, InFlight: 10, Duration: time.Minute,
		})
		if !errors.Is(err, context.DeadlineExceeded) || r.Sent == 0 || r.Took != 2*time.Second || r.SentPerSecond < 9000 || r.EndToEnd.Count != 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestBenchRefusesNonsense(t *testing.T) {
	q := memory.New(memory.Config{})
	for wrong, c := range map[string]workload.BenchConfig{
		"Queue is nil":    {Producers: 1},
		"Producers is 0":  {Queue: q},
		"Messages is -1":  {Queue: q, Producers: 1, Messages: -1},
		"Duration -1s":    {Queue: q, Producers: 1, Duration: -time.Second},
		"Window is -5":    {Queue: q, Producers: 1, InFlight: -5},
		"Size is -1":      {Queue: q, Producers: 1, Size: -1},
		"Consumers is -1": {Queue: q, Producers: 1, Consumers: -1},
	} {
		if _, err := workload.Bench(t.Context(), c); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// The real clock, once: every part of the closed loop at full speed.
func TestBenchAtFullSpeed(t *testing.T) {
	for _, inFlight := range []int{1, 1024} {
		r, err := workload.Bench(t.Context(), workload.BenchConfig{
			Queue: memory.New(memory.Config{}), Producers: 2, Consumers: 2, InFlight: inFlight, Size: 512, Messages: 20_000,
		})
		if err != nil || r.Sent != 20_000 || r.Received != 20_000 || r.Errors() != 0 || r.Left != 0 {
			t.Errorf("%v\n%s", err, r)
		}
		t.Logf("\n%s", r)
	}
}
