package history_test

import (
	"context"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
	"github.com/havoqlab/havoq/queue/queuetest"
)

// An application that does not look for the envelope sees no difference.
func TestConformance(t *testing.T) {
	var histories []*history.Memory
	h := queuetest.Harness{Bubble: true, Open: func(testing.TB) queue.Queue {
		m := &history.Memory{Start: time.Now()}
		histories = append(histories, m)
		inner := memory.New(memory.Config{AckTimeout: 2 * time.Second, MaxBody: 1 << 20, DedupWindow: time.Minute})
		return queue.Wrap(inner, withoutEnvelope(), history.Hooks(history.Config{Recorder: m, Start: m.Start, Run: 1}))
	}}
	queuetest.Run(t, h)
	for _, m := range histories {
		balance(t, m)
	}
}

// withoutEnvelope takes the envelopes that recording added off deliveries.
func withoutEnvelope() queue.Hooks {
	return queue.Hooks{Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
		ds, err := next(ctx, most)
		for i := range ds {
			n := len(ds[i].Headers)
			if e, err := queue.OpenEnvelope(&ds[i].Message); n > 0 && err == nil && e.Producer > 0 { // the suite's own has none
				if ds[i].Headers = ds[i].Headers[:n-1]; n == 1 {
					ds[i].Headers = nil
				}
			}
		}
		return ds, err
	}}
}

// balance checks that each invoke has its outcome.
func balance(t *testing.T, m *history.Memory) {
	type attempt struct {
		id queue.Identity
		n  int32
	}
	open := map[attempt]int{}
	for e := range m.Events() {
		switch e.Kind {
		case history.Invoke:
			open[attempt{e.Identity, e.Attempt}]++
		case history.Outcome:
			if open[attempt{e.Identity, e.Attempt}]--; open[attempt{e.Identity, e.Attempt}] < 0 {
				t.Errorf("an outcome without its invoke: %+v", e)
			}
		}
	}
	for a, n := range open {
		if n != 0 {
			t.Errorf("%d invokes without an outcome: %+v", n, a)
		}
	}
}
