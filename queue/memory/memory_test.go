package memory_test

import (
	"testing"
	"time"

	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
	"github.com/havoqlab/havoq/queue/queuetest"
)

// harness opens fresh queues that can do everything the memory queue can.
func harness() queuetest.Harness {
	return queuetest.Harness{
		Open: func(testing.TB) queue.Queue {
			return memory.New(memory.Config{AckTimeout: 2 * time.Second, MaxBody: 1 << 20, DedupWindow: time.Minute})
		},
		Bubble: true,
	}
}

func TestConformance(t *testing.T) {
	wrappings := map[string]queuetest.Harness{
		"bare":         harness(),
		"idle wrapper": harness().Wrapped(queue.Hooks{}),
		"pass-through": harness().Wrapped(queuetest.PassThrough(), queuetest.PassThrough()),
	}
	for name, h := range wrappings {
		t.Run(name, func(t *testing.T) {
			sum := queuetest.Run(t, h)
			if len(sum.NotApplicable) != 1 { // restart: a memory queue has nothing to restart
				t.Errorf("not applicable: %q, want only restart", sum.NotApplicable)
			}
		})
	}
}

// Once with the real clock and real scheduling.
func TestConformanceRealTime(t *testing.T) {
	h := harness()
	h.Bubble = false
	h.Open = func(testing.TB) queue.Queue { return memory.New(memory.Config{AckTimeout: time.Second}) }
	queuetest.Run(t, h)
}
