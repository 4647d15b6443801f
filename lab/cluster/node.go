package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// node is one member: a name, ports and a store that stay, and a process that comes and goes.
type node struct {
	name    string
	ports   ports
	cluster *Cluster
	acting  chan struct{} // holds a token while an act is under way

	mu    sync.Mutex
	state State
	proc  *process // nil: never started, or gone
}

func newNode(c *Cluster, name string, p ports) *node {
	return &node{name: name, ports: p, cluster: c, acting: make(chan struct{}, 1), state: Down}
}

func (n *node) path(ext string) string { return filepath.Join(n.cluster.cfg.Dir, n.name+ext) }
func (n *node) store() string          { return n.path("") }
func (n *node) addr() string           { return address(n.ports.client) }

// lock admits one act at a time.
func (n *node) lock(ctx context.Context) error {
	select {
	case n.acting <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another act on %s is under way: %w", n.name, ctx.Err())
	}
}

func (n *node) unlock() { <-n.acting }

func (n *node) now() State {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

// process returns the running process, or nil.
func (n *node) process() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc
}

// launch starts the node's process, puts it into the keeper's care, and watches it. It does not wait until the node serves.
func (n *node) launch(ctx context.Context) (*process, error) {
	c := n.cluster
	n.cluster.set(n, Starting, "")
	p, err := c.spawn(ctx, "node", n.name, n.path(".log"), n.path(".conf"))
	if err != nil {
		c.set(n, Down, "did not start")
		return nil, err
	}
	n.mu.Lock()
	n.proc = p
	n.mu.Unlock()
	p.followers.Go(func() { n.follow(p) })
	if err := c.keeper.keep(ctx, p); err != nil {
		return nil, n.abandon(p, err)
	}
	if err := p.awaitHello(ctx); err != nil {
		return nil, n.abandon(p, err)
	}
	return p, nil
}

// abandon kills a process that did not become a node, and passes the reason on.
func (n *node) abandon(p *process, why error) error {
	p.expected.Store(true)
	if err := p.kill(); err != nil {
		return fmt.Errorf("%w; and %w", why, err)
	}
	n.cluster.set(n, Down, "did not start")
	return why
}

// follow waits for the end of the process and, if no act ended it, tells so.
func (n *node) follow(p *process) {
	<-p.done
	if p.expected.Load() { // the act that ends it tells so when it has seen the rest
		n.mu.Lock()
		n.proc = nil
		n.mu.Unlock()
		return
	}
	detail := "exited by itself: " + p.ending() + "; see " + n.path(".log")
	if last := lastLine(n.path(".log")); last != "" {
		detail += ", which ends: " + last
	}
	n.cluster.cfg.Logger.Warn("node exited by itself", "node", n.name, "detail", detail)
	n.cluster.set(n, Down, detail)
}

// lastLine returns the last line of a log, as far as it can be read, for people.
func lastLine(path string) string {
	const tail = 2048
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tail {
		if _, err := f.Seek(-tail, io.SeekEnd); err != nil {
			return ""
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, tail))
	if err != nil {
		return ""
	}
	text := strings.TrimSpace(string(data))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
