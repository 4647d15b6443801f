package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// probeStream exists for an instant, at the start of a cluster.
const probeStream = "HAVOQ_START"

// usable proves that the cluster takes a stream on all nodes, by making one and deleting it. Nothing else does: for a moment
// after all are healthy and current, the leader may not know enough of a node to place anything on it, and refuses.
func (c *Cluster) usable(ctx context.Context) error {
	nc, err := nats.Connect(c.URL(), nats.Name("havoq: start of the cluster"), nats.Timeout(askLimit))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", c.URL(), err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	cfg := jetstream.StreamConfig{Name: probeStream, Subjects: []string{"havoq.start"}, Storage: jetstream.MemoryStorage, Replicas: len(c.nodes)}
	err = until(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*askLimit)
		defer cancel()
		_, err := js.CreateStream(ctx, cfg)
		return err
	})
	if err != nil {
		return fmt.Errorf("make a stream on all nodes: %w", err)
	}
	err = until(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*askLimit)
		defer cancel()
		if err := js.DeleteStream(ctx, probeStream); !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		return nil // an earlier attempt did it, and its answer came too late
	})
	if err != nil {
		return fmt.Errorf("delete the stream %s again: %w", probeStream, err)
	}
	return nil
}
