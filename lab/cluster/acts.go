package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	actLimit  = 30 * time.Second // for an act's effect to be seen
	lookEvery = 5 * time.Millisecond
)

// act does one thing to one node, bounded, alone, and with the facts in its error.
func (c *Cluster) act(ctx context.Context, verb, name string, limit time.Duration, do func(context.Context, *node) (string, error)) (string, error) {
	n, err := c.node(name)
	if err != nil {
		return "", fmt.Errorf("cluster: %s: %w", verb, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not seen within %s", limit))
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	select {
	case <-c.closed:
		return "", ErrClosed
	default:
	}
	go func() { // Close does not wait for an act: it ends it
		select {
		case <-c.closed:
			giveUp(ErrClosed)
		case <-ctx.Done():
		}
	}()
	evidence, err := n.alone(ctx, do)
	if err != nil && errors.Is(context.Cause(ctx), ErrClosed) {
		return "", ErrClosed
	}
	if err != nil {
		return "", fmt.Errorf("cluster: %s %s: %w", verb, name, err)
	}
	return evidence, nil
}

// alone does one thing to the node while nobody else does another.
func (n *node) alone(ctx context.Context, do func(context.Context, *node) (string, error)) (string, error) {
	if err := n.lock(ctx); err != nil {
		return "", err
	}
	defer n.unlock()
	return do(ctx, n)
}

// running returns the node's process, or an error that says what is in the way.
func (n *node) running() (*process, error) {
	if p := n.process(); p != nil {
		return p, nil
	}
	return nil, errors.New("it is down already")
}

// Kill ends the node with SIGKILL. Seen: the process is reaped and its port refuses.
func (c *Cluster) Kill(ctx context.Context, name string) (evidence string, err error) {
	return c.act(ctx, "kill", name, actLimit, func(ctx context.Context, n *node) (string, error) {
		p, err := n.running()
		if err != nil {
			return "", err
		}
		return n.killSeen(ctx, p)
	})
}

func (n *node) killSeen(ctx context.Context, p *process) (string, error) {
	if err := p.kill(); err != nil {
		return "", err
	}
	return n.gone(ctx, p, "gone")
}

// gone waits until the port of an ended process refuses.
func (n *node) gone(ctx context.Context, p *process, how string) (string, error) {
	err := until(ctx, lookEvery, func(context.Context) error { return refuses(n.ports.client) })
	evidence := fmt.Sprintf("process %d %s, port %d refuses", p.pid(), how, n.ports.client)
	if err != nil {
		n.cluster.set(n, Down, fmt.Sprintf("process %d %s", p.pid(), how))
		return "", fmt.Errorf("process %d is %s, but %w", p.pid(), how, err)
	}
	n.cluster.set(n, Down, evidence)
	return evidence, nil
}

// Stop ends the node gracefully: it hands its leaderships over first. Seen as by Kill. A node that does not end within 10 s
// is killed, which is an error.
func (c *Cluster) Stop(ctx context.Context, name string) (evidence string, err error) {
	return c.act(ctx, "stop", name, actLimit, func(ctx context.Context, n *node) (string, error) {
		p, err := n.running()
		if err != nil {
			return "", err
		}
		if n.now() == Paused {
			return "", errors.New("it is paused and cannot hear it: resume it first, or kill it")
		}
		began := time.Now()
		p.expected.Store(true)
		if err := p.terminate(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return "", fmt.Errorf("signal process %d: %w", p.pid(), err)
		}
		grace, cancel := context.WithTimeout(ctx, graceLimit)
		defer cancel()
		select {
		case <-p.done:
			p.followers.Wait()
			return n.gone(ctx, p, fmt.Sprintf("ended in %d ms (%s)", time.Since(began).Milliseconds(), p.ending()))
		case <-grace.Done():
			if _, err := n.killSeen(context.WithoutCancel(ctx), p); err != nil {
				return "", err
			}
			return "", fmt.Errorf("process %d did not end within %s and was killed", p.pid(), graceLimit)
		}
	})
}

// Wipe deletes the node's store, after a SIGKILL if it runs. Started again, the node is empty and gets its data from the
// others. Seen: as by Kill, and the store is gone.
func (c *Cluster) Wipe(ctx context.Context, name string) (evidence string, err error) {
	return c.act(ctx, "wipe", name, actLimit, func(ctx context.Context, n *node) (string, error) {
		var parts []string
		if p := n.process(); p != nil {
			seen, err := n.killSeen(ctx, p)
			if err != nil {
				return "", err
			}
			parts = append(parts, seen)
		}
		if _, err := os.Stat(n.store()); err != nil {
			return "", fmt.Errorf("there is no store to delete: %w", err)
		}
		if err := os.RemoveAll(n.store()); err != nil {
			return "", fmt.Errorf("delete its store: %w", err)
		}
		return strings.Join(append(parts, "store "+n.store()+" deleted"), ", "), nil
	})
}
