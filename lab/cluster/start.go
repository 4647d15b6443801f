package cluster

import (
	"context"
	"fmt"
	"time"
)

// currentLimit bounds the time for a started node to catch up.
const currentLimit = time.Minute

// Start starts a node that is down from its own disk, or empty after Wipe. Seen: it greets a client, is in contact with
// the cluster's leader, and it and its streams are current. While too few nodes run for that, it is not waited for, and the
// evidence says so.
func (c *Cluster) Start(ctx context.Context, name string) (evidence string, err error) {
	return c.act(ctx, "start", name, actLimit+currentLimit, func(ctx context.Context, n *node) (string, error) {
		if n.process() != nil {
			return "", fmt.Errorf("it is not down but %s", n.now())
		}
		began := time.Now()
		p, err := n.launch(ctx)
		if err != nil {
			return "", err
		}
		if err := n.serves(ctx, p); err != nil {
			return "", n.abandon(p, err)
		}
		evidence := fmt.Sprintf("process %d answers at %s", p.pid(), n.addr())
		current, err := n.awaitCurrent(ctx)
		if err != nil {
			return "", err
		}
		evidence += fmt.Sprintf(", %s after %d ms", current, time.Since(began).Milliseconds())
		c.set(n, Up, evidence)
		return evidence, nil
	})
}

// serves waits until a started process greets clients.
func (n *node) serves(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, actLimit, fmt.Errorf("it does not serve within %s; see %s", actLimit, n.path(".log")))
	defer cancel()
	if err := p.await(ctx, "ready"); err != nil {
		return err
	}
	return until(ctx, lookEvery, func(ctx context.Context) error { return answers(ctx, n) })
}

// awaitCurrent waits until the node has caught up, or too few nodes run for that.
func (n *node) awaitCurrent(ctx context.Context) (string, error) {
	current := "current"
	err := until(ctx, 10*lookEvery, func(ctx context.Context) error {
		if n.process() == nil {
			return final{fmt.Errorf("it exited by itself: %s", lastLine(n.path(".log")))}
		}
		err := n.cluster.monitor.healthy(ctx, n)
		if err == nil {
			return nil
		}
		if working := n.cluster.working(); working < n.cluster.quorum() {
			current = fmt.Sprintf("not current, for %d of %d nodes run and %d are needed,", working, len(n.cluster.nodes), n.cluster.quorum())
			return nil
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("it runs but is not current: %w; see %s", err, n.path(".log"))
	}
	return current, nil
}

func (c *Cluster) quorum() int { return len(c.nodes)/2 + 1 }

// working counts the nodes that run and are not paused.
func (c *Cluster) working() int {
	count := 0
	for _, n := range c.nodes {
		if n.process() != nil && n.now() != Paused {
			count++
		}
	}
	return count
}
