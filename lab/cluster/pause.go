package cluster

import (
	"context"
	"errors"
	"fmt"
)

// Pause stops the node's process with SIGSTOP: its connections stay open, its port accepts, nothing answers. Seen: the kernel
// says that it is stopped.
func (c *Cluster) Pause(ctx context.Context, name string) (evidence string, err error) {
	return c.act(ctx, "pause", name, actLimit, func(ctx context.Context, n *node) (string, error) {
		p, err := n.running()
		if err != nil {
			return "", err
		}
		if n.now() == Paused {
			return "", errors.New("it is paused already")
		}
		if err := c.keeper.keep(ctx, p); err != nil { // only the keeper can end a paused node everywhere
			return "", err
		}
		if err := p.pause(); err != nil {
			return "", fmt.Errorf("signal process %d: %w", p.pid(), err)
		}
		var seen string
		err = until(ctx, lookEvery, func(context.Context) (err error) {
			seen, err = stopped(p.pid())
			return err
		})
		if err != nil {
			return "", errors.Join(fmt.Errorf("process %d: %w", p.pid(), err), p.resume())
		}
		evidence := fmt.Sprintf("process %d stopped (%s)", p.pid(), seen)
		c.set(n, Paused, evidence)
		return evidence, nil
	})
}

// Resume lets a paused node go on. Seen: the kernel says that it runs, and it greets a client.
func (c *Cluster) Resume(ctx context.Context, name string) (evidence string, err error) {
	return c.act(ctx, "resume", name, actLimit, func(ctx context.Context, n *node) (string, error) {
		p, err := n.running()
		if err != nil {
			return "", err
		}
		if n.now() != Paused {
			return "", fmt.Errorf("it is not paused but %s", n.now())
		}
		if err := p.resume(); err != nil {
			return "", fmt.Errorf("signal process %d: %w", p.pid(), err)
		}
		err = until(ctx, lookEvery, func(ctx context.Context) error {
			if _, err := stopped(p.pid()); err == nil {
				return fmt.Errorf("process %d is still stopped", p.pid())
			}
			return answers(ctx, n)
		})
		if err != nil {
			return "", err
		}
		evidence := fmt.Sprintf("process %d runs again and answers at %s", p.pid(), n.addr())
		c.set(n, Up, evidence)
		return evidence, nil
	})
}
