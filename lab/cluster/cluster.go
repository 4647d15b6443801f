package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// State is what a node does, as last seen.
type State string

// The states.
const (
	Starting State = "starting" // its process runs; it does not serve or is not current yet
	Up       State = "up"
	Paused   State = "paused" // stopped by Pause: the process is there and accepts connections, but does nothing
	Down     State = "down"   // there is no process
)

const (
	defaultNodes = 3
	maxNodes     = 5 // as many as a stream can have replicas
)

// Config says what Start builds. Only Dir is required.
type Config struct {
	// Dir holds the nodes' stores, configurations and logs. It is made if missing. A folder of an earlier cluster with as
	// many nodes continues from its stores. Only one cluster may use it at a time.
	Dir string
	// Nodes is the number of nodes, 2 to 5. 0: 3.
	Nodes int
	// Port is the first client port: with three nodes, Port to Port+2 are for clients, Port+3 to Port+5 for routes, Port+6 to
	// Port+8 for monitoring. 0: free ones.
	Port int
	// Command starts the executable that calls Main, for example a havoq binary. nil: this executable.
	Command []string
	// OnState is called at each change of a node's state, from any goroutine but in order, one call at a time. It must not
	// block for long or act on the cluster.
	OnState func(node string, s State, detail string)
	// Logger gets what happens besides; nil: discarded.
	Logger *slog.Logger
}

// Cluster is a running cluster. Its methods may be called from any goroutine; acts on one node wait for each other.
type Cluster struct {
	cfg      Config
	nodes    []*node
	launcher *launcher
	keeper   *keeper
	monitor  *monitor
	unlock   func() error

	telling sync.Mutex // orders OnState
	closing sync.Once
	closed  chan struct{}
	closeOK error
}

// ErrClosed is returned by acts on a cluster after Close.
var ErrClosed = errors.New("cluster: closed")

// Start builds the cluster and returns when every node is healthy, a leader of the cluster is agreed on, it sees all
// nodes as current, and it takes a stream that is replicated to all. It is bounded by ctx and by a minute. On error nothing
// is left running; the logs stay in Dir.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	c := &Cluster{cfg: cfg, closed: make(chan struct{}), monitor: newMonitor()}
	if c.unlock, err = claimDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	c.launcher = startLauncher()
	c.keeper = &keeper{cluster: c}
	if err := c.form(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cluster: %w", err), c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func (cfg Config) complete() (Config, error) {
	if kind := os.Getenv(childEnv); kind != "" {
		return cfg, fmt.Errorf("this process was started as a %s of a cluster and must not start another: "+
			"call cluster.Main() first in main or TestMain", kind)
	}
	if err := supported(); err != nil {
		return cfg, err
	}
	if cfg.Dir == "" {
		return cfg, errors.New("Config.Dir is empty: give a folder for the nodes' stores and logs")
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return cfg, fmt.Errorf("folder %q: %w", cfg.Dir, err)
	}
	cfg.Dir = dir
	if cfg.Nodes == 0 {
		cfg.Nodes = defaultNodes
	}
	if cfg.Nodes < 2 || cfg.Nodes > maxNodes {
		return cfg, fmt.Errorf("%d nodes: give 2 to %d (a cluster of one elects no leader; package broker runs a single server)", cfg.Nodes, maxNodes)
	}
	if last := cfg.Port + portsPerNode*cfg.Nodes - 1; cfg.Port < 0 || last > 65535 {
		return cfg, fmt.Errorf("ports %d to %d: the highest is 65535", cfg.Port, last)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, nil
}

// URL returns the client addresses of all nodes in one: "nats://127.0.0.1:p1,127.0.0.1:p2,127.0.0.1:p3".
func (c *Cluster) URL() string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = address(n.ports.client)
	}
	return "nats://" + strings.Join(addrs, ",")
}

// Nodes returns the names of the nodes.
func (c *Cluster) Nodes() []string {
	names := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		names[i] = n.name
	}
	return names
}

// State returns a node's state, or "" for an unknown name.
func (c *Cluster) State(name string) State {
	n, err := c.node(name)
	if err != nil {
		return ""
	}
	return n.now()
}

// RSS returns the resident memory of each running node in bytes. A node that is down, or whose memory cannot be read on
// this system, is absent.
func (c *Cluster) RSS() map[string]int64 {
	sizes := map[string]int64{}
	for _, n := range c.nodes {
		p := n.process()
		if p == nil {
			continue
		}
		if bytes, err := resident(p.pid()); err == nil {
			sizes[n.name] = bytes
		}
	}
	return sizes
}

func (c *Cluster) node(name string) (*node, error) {
	for _, n := range c.nodes {
		if n.name == name {
			return n, nil
		}
	}
	return nil, unknown("node", name, c.Nodes())
}

// set changes a node's state and tells it. A node that is down has no process, in the same instant.
func (c *Cluster) set(n *node, s State, detail string) {
	c.telling.Lock()
	defer c.telling.Unlock()
	n.mu.Lock()
	changed := n.state != s
	n.state = s
	if s == Down {
		n.proc = nil
	}
	n.mu.Unlock()
	if !changed {
		return
	}
	c.cfg.Logger.Debug("node state", "node", n.name, "state", string(s), "detail", detail)
	if c.cfg.OnState != nil {
		c.cfg.OnState(n.name, s, detail)
	}
}
