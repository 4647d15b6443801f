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
	actLimit     = 30 * time.Second // for an act's effect to be seen
	currentLimit = 60 * time.Second // for a started node to catch up
	lookEvery    = 5 * time.Millisecond
)

// act does one thing to one node, bounded, alone, and with the facts in its error.
func (c *Cluster) act(ctx context.Context, verb, name string, limit time.Duration, do func(context.Context, *node) (string, error)) (string, error) {
	n, err := c.node(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not seen within %s", limit))
	defer cancel()
	if err := n.lock(ctx); err != nil {
		return "", err
	}
	defer n.unlock()
	select {
	case <-c.closed:
		return "", ErrClosed
	default:
	}
	evidence, err := do(ctx, n)
	if err != nil {
		return "", fmt.Errorf("cluster: %s %s: %w", verb, name, err)
	}
	return evidence, nil
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

// InjectBrokerFailure kills what the target means now, as by Resolve and Kill. The evidence names each node.
func (c *Cluster) InjectBrokerFailure(ctx context.Context, stream, target string) (evidence string, err error) {
	nodes, err := c.Resolve(ctx, stream, target)
	if err != nil {
		return "", err
	}
	seen := make([]string, 0, len(nodes))
	for _, name := range nodes {
		evidence, err := c.Kill(ctx, name)
		if err != nil {
			return strings.Join(seen, "; "), err
		}
		seen = append(seen, name+": "+evidence)
	}
	return strings.Join(seen, "; "), nil
}

// RecoverBroker brings a node back, whatever was done to it: it resumes one that is paused and starts one that is down.
func (c *Cluster) RecoverBroker(ctx context.Context, name string) (evidence string, err error) {
	if c.State(name) == Paused {
		return c.Resume(ctx, name)
	}
	return c.Start(ctx, name)
}
