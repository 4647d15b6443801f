package gameday

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// errNoNodes is asked of a target that havoq did not start.
var errNoNodes = errors.New("havoq has no hands on the nodes of target.url")

// target is the system under test as the run acts on it.
type target interface {
	// queueURL is where the load connects to.
	queueURL(*scenario.Scenario) string
	// resolve names the nodes that a target expression means now: "leader", "n2", "all".
	resolve(ctx context.Context, expr string) ([]string, error)
	// act does verb to a node and returns when it is seen in force, with the evidence in one line.
	act(ctx context.Context, verb, node string) (evidence string, err error)
	// undo brings a node up, whatever holds it down, and returns when that is seen, with the evidence in one line. A node that
	// is up is not an error: the act had failed, or another recovery has done it.
	undo(ctx context.Context, node string) (evidence string, err error)
	// leader is the node that takes the topic's messages; an error if there is none at the moment.
	leader(ctx context.Context) (string, error)
	states() map[string]string
	// memory is the resident bytes of each process.
	memory() map[string]int64
	describe() string
	close(ctx context.Context) error
}

func (r *run) startTarget(ctx context.Context) error {
	ctx, cancel := r.within(ctx, r.limits.start)
	defer cancel()
	open := r.cfg.start
	if open == nil {
		open = openTarget
	}
	t, err := open(ctx, r)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.target = t
	r.mu.Unlock()
	r.tell(Progress{Kind: Target, Text: t.describe()})
	return nil
}

func openTarget(ctx context.Context, r *run) (target, error) {
	s := r.cfg.Scenario
	switch {
	case s.Target.Cluster != nil && s.Target.Cluster.Embedded == "nats":
		return startEmbedded(ctx, r)
	case s.Target.URL != "" && s.Workload.Limit > 0:
		return nil, fmt.Errorf("%s: workload.limit: havoq limits the streams of its own clusters only; remove it, and limit the "+
			"broker of target.url itself", s.File)
	case s.Target.URL != "":
		return remote{s.Target.URL, r.topic, s.Workload.IsExternal()}, nil
	}
	return nil, fmt.Errorf("%s: no target that this version can start: set target.cluster.embedded: nats, or target.url", s.File)
}

// closeTarget ends what havoq started. An error means that something of it may be left behind.
func (r *run) closeTarget(parent context.Context) error {
	ctx, cancel := r.within(context.WithoutCancel(parent), r.limits.close)
	defer cancel()
	if err := r.target.close(ctx); err != nil {
		err = fmt.Errorf("close the target: %w; look for processes that are left behind", err)
		r.note("havoq", err.Error())
		return err
	}
	return nil
}

// nodeChanged records a node's new state and tells it.
func (r *run) nodeChanged(node, state, detail string) {
	r.recorder.Record(history.Event{Kind: history.Node, Node: node, Detail: state})
	text := node + " " + state
	if detail != "" {
		text += ": " + detail
	}
	r.tell(Progress{Kind: NodeState, Text: text})
}

// remote is a target that somebody else runs: havoq has no hands on its nodes, and its own load keeps to a topic of its own.
type remote struct {
	url, topic string
	external   bool // the load is the user's application
}

func (t remote) queueURL(*scenario.Scenario) string { return t.url }

func (t remote) resolve(_ context.Context, expr string) ([]string, error) {
	return nil, t.noNodes("find " + expr)
}

func (t remote) act(_ context.Context, verb, node string) (string, error) {
	return "", t.noNodes(verb + " " + node)
}

func (t remote) undo(_ context.Context, node string) (string, error) {
	return "", t.noNodes("recover " + node)
}

func (t remote) noNodes(what string) error {
	return fmt.Errorf("%s at %s: %w; use target.cluster, or crash: consumers", what, withoutSecrets(t.url), errNoNodes)
}

func (t remote) leader(context.Context) (string, error) { return "", errNoNodes }
func (t remote) states() map[string]string              { return nil }
func (t remote) memory() map[string]int64               { return nil }
func (t remote) close(context.Context) error            { return nil }

func (t remote) describe() string {
	if t.external {
		return withoutSecrets(t.url) + ", where your application's topics are"
	}
	return fmt.Sprintf("%s, on a topic of its own, %q, which stays there", withoutSecrets(t.url), t.topic)
}

// withoutSecrets is where a URL leads, without names, passwords and options.
func withoutSecrets(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "a URL that does not parse"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
