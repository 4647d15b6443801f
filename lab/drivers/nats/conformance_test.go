package nats_test

import (
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/queuetest"
)

// TestConformance runs the suite against one server, and against a cluster with three replicas, bare and through a wrapper that
// does nothing.
func TestConformance(t *testing.T) {
	dir := t.TempDir()
	s := run(t, dir, -1)
	servers := addresses(s)
	single := harness(servers, 1, 2*time.Second)
	single.Restart = func(testing.TB) { // the server outlives the suite's own test
		at := port(s)
		stop(s)
		s = run(t, dir, at)
	}
	// Acks of three replicas take longer on a busy machine, and an ack that crosses a redelivery is no fault of the driver.
	replicated := harness(addresses(cluster(t)...), 3, 4*time.Second)
	for name, h := range map[string]queuetest.Harness{
		"bare":          single,
		"wrapped":       single.Wrapped(queuetest.PassThrough()),
		"three-servers": replicated,
	} {
		t.Run(name, func(t *testing.T) {
			sum := queuetest.Run(t, h)
			for _, why := range sum.NotApplicable {
				if h.Restart != nil {
					t.Errorf("not applicable: %s", why)
				}
			}
		})
	}
}

func harness(servers []string, replicas int, ackTimeout time.Duration) queuetest.Harness {
	return queuetest.Harness{
		Open: func(t testing.TB) queue.Queue {
			c, err := nats.Open(t.Context(), nats.Config{Servers: servers, Replicas: replicas, AckTimeout: ackTimeout})
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		BrokerGoroutines: []string{"nats-server/v2/server"},
	}
}
