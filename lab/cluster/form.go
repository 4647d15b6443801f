package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	formLimit = time.Minute // for all attempts together
	formTries = 5           // with other ports each
)

// form starts all nodes and waits until they are a cluster. With free ports of its own choice it tries others if one was
// taken in between.
func (c *Cluster) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, formLimit, fmt.Errorf("no cluster within %s", formLimit))
	defer cancel()
	name, err := identify(c.cfg.Dir, c.cfg.Nodes)
	if err != nil {
		return err
	}
	if err := c.keeper.start(ctx); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := c.formOnce(ctx, name)
		if err == nil {
			return nil
		}
		if c.cfg.Port != 0 || try == formTries || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
		c.cfg.Logger.Info("a chosen port was taken meanwhile, trying others", "error", err)
		for _, n := range c.nodes {
			if err := n.end(ctx); err != nil {
				return err
			}
		}
	}
}

func (c *Cluster) formOnce(ctx context.Context, name string) error {
	all, err := choosePorts(c.cfg.Nodes, c.cfg.Port)
	if err != nil {
		return err
	}
	c.nodes = nil
	for i, p := range all {
		n := newNode(c, fmt.Sprintf("n%d", i+1), p)
		c.nodes = append(c.nodes, n)
		if err := os.WriteFile(n.path(".conf"), []byte(configText(name, n, all)), 0o644); err != nil {
			return err
		}
	}
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() {
			p, err := n.launch(ctx)
			if err == nil {
				err = p.await(ctx, "ready")
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := until(ctx, 20*time.Millisecond, c.formed); err != nil {
		return fmt.Errorf("the nodes form no cluster: %w; see the logs in %s", err, c.cfg.Dir)
	}
	if err := c.usable(ctx); err != nil {
		return fmt.Errorf("the nodes form a cluster that takes no stream: %w; see the logs in %s", err, c.cfg.Dir)
	}
	for _, n := range c.nodes {
		if p := n.process(); p != nil {
			c.set(n, Up, fmt.Sprintf("process %d at %s", p.pid(), n.addr()))
		}
	}
	return nil
}

// formed is nil when the cluster has an agreed leader that sees all others as current, and every node says it is healthy.
func (c *Cluster) formed(ctx context.Context) error {
	for _, n := range c.nodes {
		if n.process() == nil {
			return final{fmt.Errorf("%s exited by itself: %s", n.name, lastLine(n.path(".log")))}
		}
		if err := c.monitor.healthy(ctx, n); err != nil {
			return err
		}
	}
	view, err := c.agreed(ctx, "")
	if err != nil {
		return err
	}
	for _, peer := range view.peers {
		if !peer.Current || peer.Offline {
			return fmt.Errorf("leader %s does not see %s as current", view.leader, peer.Name)
		}
	}
	if len(view.peers) != len(c.nodes)-1 {
		return fmt.Errorf("leader %s sees %d of %d other nodes", view.leader, len(view.peers), len(c.nodes)-1)
	}
	return nil
}

// configText is a node's configuration for the engine.
func configText(cluster string, n *node, all []ports) string {
	var routes []string
	for _, p := range all {
		if p != n.ports {
			routes = append(routes, "nats://"+address(p.route))
		}
	}
	return fmt.Sprintf(`# %s of a havoq cluster; written at its start
server_name: %q
listen: %q
http: %q
jetstream {
  store_dir: %q
  max_file_store: %d
  max_memory_store: 67108864
  sync_interval: always
}
cluster {
  name: %q
  listen: %q
  routes: ["%s"]
}
`, n.name, n.name, n.addr(), address(n.ports.monitor), n.store(), int64(storeLimit), cluster, address(n.ports.route), strings.Join(routes, `", "`))
}
