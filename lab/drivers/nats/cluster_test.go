package nats_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
	"github.com/nats-io/nats-server/v2/server"
)

// TestStreamLeaderStops stops the leader of a replicated stream under load. Producers send again with the same ID until it is
// confirmed, as an application would. Every message must be stored once and reach the group; what was confirmed twice must
// have said so.
func TestStreamLeaderStops(t *testing.T) {
	const producers, each = 4, 1500
	servers := cluster(t)
	cfg := nats.Config{Servers: addresses(servers...), Replicas: 3, SendTimeout: 2 * time.Second, AckTimeout: 5 * time.Second}
	c := connect(t, cfg)
	load := &load{conn: c, seen: map[string]int{}, stopAt: producers * each / 3, reached: make(chan struct{})}
	ctx := within(t, 90*time.Second)
	var sending, receiving sync.WaitGroup
	for i := range producers {
		p := producer(t, c, "orders")
		sending.Go(func() { load.send(ctx, t, p, fmt.Sprintf("p%d", i), each) })
	}
	k := consumer(t, c, "orders", "g")
	receiving.Go(func() { load.receive(ctx, t, k, producers*each) })

	<-load.reached
	leader := leaderOf(t, servers, nats.StreamName("orders"))
	stop(leader)
	sending.Wait()
	receiving.Wait()

	stored(t, c, "orders", producers*each)
	for id, n := range load.seen {
		if n != 1 {
			t.Logf("%s was delivered %d times", id, n) // at least once
		}
	}
	t.Logf("stopped %s: longest time without a confirmed send %s; %d attempts were not confirmed; %d retries said duplicate",
		leader.Name(), time.Duration(load.gap.Load()).Round(time.Millisecond), load.retries.Load(), load.duplicates.Load())
	eventually(t, 20*time.Second, "depth 0", func() bool {
		d, err := c.Depth(ctx, "orders", "g")
		return err == nil && d.Total() == 0
	})
}

type load struct {
	conn       *nats.Conn
	confirmed  atomic.Int64
	stopAt     int64
	reached    chan struct{}
	last, gap  atomic.Int64
	retries    atomic.Int64
	duplicates atomic.Int64
	seen       map[string]int // the receiver's own
}

func (l *load) send(ctx context.Context, t *testing.T, p queue.Producer, name string, n int) {
	for from := 0; from < n; from += 10 {
		batch := numbered(from, 10)
		for i := range batch {
			batch[i].ID = name + "-" + batch[i].ID
		}
		for len(batch) > 0 {
			if ctx.Err() != nil {
				t.Errorf("%s: %d messages are not confirmed", name, len(batch))
				return
			}
			batch = l.try(ctx, p, batch)
		}
	}
}

// try sends and returns what was not confirmed.
func (l *load) try(ctx context.Context, p queue.Producer, batch []queue.Message) (left []queue.Message) {
	for i, r := range queue.Send(ctx, p, batch...) {
		if r.Err != nil {
			l.retries.Add(1)
			left = append(left, batch[i])
			continue
		}
		if r.Duplicate {
			l.duplicates.Add(1)
		}
		now := time.Now().UnixNano()
		if before := l.last.Swap(now); before > 0 && now-before > l.gap.Load() {
			l.gap.Store(now - before)
		}
		if l.confirmed.Add(1) == l.stopAt {
			close(l.reached)
		}
	}
	if len(left) > 0 {
		pause := time.NewTimer(20 * time.Millisecond)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
	return left
}

func (l *load) receive(ctx context.Context, t *testing.T, k queue.Consumer, n int) {
	for len(l.seen) < n {
		ds, err := k.Receive(ctx, 100)
		if err != nil {
			t.Errorf("received %d of %d: %v", len(l.seen), n, err)
			return
		}
		for _, d := range ds {
			l.seen[d.ID]++
		}
		for _, err := range k.Settle(ctx, queue.Ack(), ds) {
			if err != nil {
				t.Logf("settle: %v", err)
				break
			}
		}
	}
}

func leaderOf(t *testing.T, servers []*server.Server, stream string) (leader *server.Server) {
	t.Helper()
	eventually(t, 10*time.Second, "a leader of "+stream, func() bool {
		for _, s := range servers {
			if s.JetStreamIsStreamLeader("$G", stream) {
				leader = s
				return true
			}
		}
		return false
	})
	return leader
}

// TestReplicasAreWaitedFor: a cluster that cannot place three replicas yet is asked again, for as long as the context allows.
func TestReplicasAreWaitedFor(t *testing.T) {
	servers := cluster(t)
	stop(servers[2])
	c := connect(t, nats.Config{Servers: addresses(servers[:2]...), Replicas: 5})
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := c.Producer(ctx, "orders")
	if err == nil || time.Since(start) < 300*time.Millisecond {
		t.Errorf("five replicas on two servers, after %s: %v", time.Since(start), err)
	}
	t.Log(err)
}
