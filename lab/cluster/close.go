package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	graceLimit = 10 * time.Second // for a node to end by itself after SIGTERM
	killLimit  = 10 * time.Second // for the kernel to end a process after SIGKILL
)

// Close ends every node, gracefully within ctx and 10 s, then by SIGKILL, and the keeper. Nothing is left, also if ctx is
// over already. It may be called again, and returns the same.
func (c *Cluster) Close(ctx context.Context) error {
	c.closing.Do(func() { c.closeOK = c.close(ctx) })
	return c.closeOK
}

func (c *Cluster) close(ctx context.Context) error {
	close(c.closed)
	grace, cancel := context.WithTimeout(ctx, graceLimit)
	defer cancel()
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() { errs[i] = n.end(grace) })
	}
	wg.Wait()
	errs = append(errs, c.keeper.close())
	c.launcher.close()
	c.monitor.close()
	if c.unlock != nil {
		errs = append(errs, c.unlock())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cluster: close: %w", err)
	}
	return nil
}

// end takes a node down for good. An act that is under way gives up, because the cluster is closed, and is waited for.
func (n *node) end(grace context.Context) error {
	if err := n.lock(context.WithoutCancel(grace)); err != nil {
		return err
	}
	defer n.unlock()
	p := n.process()
	if p == nil {
		return nil
	}
	p.expected.Store(true)
	how := "ended"
	if n.now() != Paused && p.terminate() == nil {
		select {
		case <-p.done:
		case <-grace.Done():
			how = "killed: it did not end by itself in time"
		}
	}
	if err := p.kill(); err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	n.cluster.set(n, Down, how)
	return nil
}
