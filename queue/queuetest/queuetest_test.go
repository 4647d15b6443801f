package queuetest_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
	"github.com/havoqlab/havoq/queue/queuetest"
)

// TestLeak: a goroutine that outlives the connection is reported, unless the harness says that it is the broker's.
func TestLeak(t *testing.T) {
	release := make(chan struct{})
	var leaked sync.WaitGroup
	defer leaked.Wait()
	defer close(release)
	h := planted(func(q queue.Queue) queue.Queue {
		leaked.Go(func() { brokerLoop(release) })
		return q
	}, memory.Config{})
	h.Bubble, h.Wait = false, time.Second
	if why := queuetest.Failures(t, h, "headers")["headers"]; !strings.Contains(why, "brokerLoop") {
		t.Errorf("a leaked goroutine is reported as %q", why)
	}
	h.BrokerGoroutines = []string{"queuetest_test.brokerLoop"}
	if failed := queuetest.Failures(t, h, "headers"); len(failed) > 0 {
		t.Errorf("a broker's goroutine is reported: %q", failed)
	}
}

func brokerLoop(release chan struct{}) { <-release }

// rebooted is a connection that survives its broker.
type rebooted struct {
	mu sync.Mutex
	queue.Queue
}

func (q *rebooted) now() queue.Queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.Queue
}

func (q *rebooted) Producer(ctx context.Context, topic string) (queue.Producer, error) {
	return q.now().Producer(ctx, topic)
}

func (q *rebooted) Consumer(ctx context.Context, topic, group string) (queue.Consumer, error) {
	return q.now().Consumer(ctx, topic, group)
}

func (q *rebooted) Close(ctx context.Context) error { return q.now().Close(ctx) }

// TestRestart: what a restart keeps passes, and what it wipes is seen.
func TestRestart(t *testing.T) {
	var q *rebooted
	h := queuetest.Harness{
		Bubble: true,
		Open: func(testing.TB) queue.Queue {
			q = &rebooted{Queue: memory.New(memory.Config{AckTimeout: time.Second})}
			return q
		},
	}
	h.Restart = func(testing.TB) {}
	if failed := queuetest.Failures(t, h, "restart"); len(failed) > 0 {
		t.Errorf("a restart that keeps everything: %q", failed)
	}
	h.Restart = func(t testing.TB) {
		q.mu.Lock()
		defer q.mu.Unlock()
		_ = q.Queue.Close(t.Context())
		q.Queue = memory.New(memory.Config{})
	}
	if failed := queuetest.Failures(t, h, "restart"); !strings.Contains(failed["restart"], "5 of 55 messages received") {
		t.Errorf("a restart that loses everything is reported as %q", failed)
	}
}

// TestNotApplicable: what is not declared is counted, with its reason.
func TestNotApplicable(t *testing.T) {
	h := planted(func(q queue.Queue) queue.Queue { return modest{q} }, memory.Config{})
	h.AckTimeout = time.Hour
	sum := queuetest.Run(t, h)
	want := []string{
		"header-order (Caps.HeaderOrder is false)", "too-large (Caps.MaxBody is 0)", "dedup (Caps.Dedup is false)",
		"order (Caps.Order is OrderNone)", "batch-order (Caps.Order is OrderNone)", "nack (Caps.Nack is NackNone)",
		"nack-delay (Caps.Nack is NackNone)", "ack-timeout (the ack timeout of 1h0m0s is longer than 15s)",
		"stale-ack (the ack timeout of 1h0m0s is longer than 15s)", "depth (Caps.Depth is false)", "restart (Harness.Restart is nil)",
	}
	if got := strings.Join(sum.NotApplicable, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("not applicable:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	if line := sum.String(); len(sum.Filtered) == 0 && !strings.HasPrefix(line, "queuetest: 27 run, 11 not applicable: header-order (") {
		t.Errorf("summary: %s", line)
	}
}

// modest declares next to nothing.
type modest struct{ queue.Queue }

func (q modest) Caps() queue.Caps {
	all := q.Queue.Caps()
	return queue.Caps{Driver: "modest", ConfirmedSend: true, ConfirmedAck: true, Attempts: all.Attempts, Delay: all.Delay}
}

// Example is the whole conformance test of a driver, around which wrappers are tried, too.
func Example() {
	_ = func(t *testing.T) { // func TestConformance(t *testing.T)
		h := queuetest.Harness{
			Open: func(t testing.TB) queue.Queue {
				// Here: connect to a broker, with an ack timeout of a second or two, and end t if that fails.
				return memory.New(memory.Config{AckTimeout: 2 * time.Second})
			},
			BrokerGoroutines: []string{"example.com/embedded-broker/server"},
		}
		sum := queuetest.Run(t, h)
		if len(sum.NotApplicable) > 3 { // too-large, dedup, restart
			t.Errorf("the driver declares less than before: %s", sum)
		}
		t.Run("wrapped", func(t *testing.T) { queuetest.Run(t, h.Wrapped(queuetest.PassThrough())) })
	}
}
