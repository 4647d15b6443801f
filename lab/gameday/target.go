package gameday

import (
	"context"
	"fmt"
	"strings"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// target is the system under test as the run acts on it.
type target interface {
	// queueURL is where the load connects to.
	queueURL(*scenario.Scenario) string
	// resolve names the nodes that a target expression means now: "leader", "n2", "all".
	resolve(ctx context.Context, expr string) ([]string, error)
	// act does verb to a node and returns when it is seen in force; undo takes it back and returns when that is seen. Both
	// return their evidence in one line.
	act(ctx context.Context, verb, node string) (evidence string, err error)
	undo(ctx context.Context, verb, node string) (evidence string, err error)
	// leader is the node that takes the topic's messages; an error if there is none at the moment.
	leader(ctx context.Context) (string, error)
	states() map[string]string
	// memory is the resident bytes of each process.
	memory() map[string]int64
	describe() string
	close(ctx context.Context) error
}

func (r *run) startTarget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	t, err := r.openTarget(ctx)
	if err != nil {
		return err
	}
	r.telling.Lock()
	r.target = t
	r.telling.Unlock()
	r.tell(Progress{Kind: Target, Text: t.describe()})
	return nil
}

func (r *run) openTarget(ctx context.Context) (target, error) {
	s := r.cfg.Scenario
	switch {
	case s.Target.Cluster != nil && s.Target.Cluster.Embedded == "nats":
		return startEmbedded(ctx, r)
	case s.Target.URL != "":
		return remote{s.Target.URL}, nil
	}
	return nil, fmt.Errorf("%s: no target that this version can start: set target.cluster.embedded: nats, or target.url", s.File)
}

func (r *run) closeTarget(parent context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), closeLimit)
	defer cancel()
	if err := r.target.close(ctx); err != nil {
		r.note("havoq", "close the target: "+err.Error())
	}
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

// remote is a target that somebody else runs: havoq has no hands on its nodes.
type remote struct{ url string }

func (t remote) queueURL(*scenario.Scenario) string { return t.url }

func (t remote) resolve(context.Context, string) ([]string, error) {
	return nil, fmt.Errorf("target.url has no nodes that havoq may act on; use target.cluster")
}

func (t remote) act(_ context.Context, verb, node string) (string, error) {
	return "", fmt.Errorf("%s %s: target.url has no nodes that havoq may act on; use target.cluster", verb, node)
}

func (t remote) undo(ctx context.Context, verb, node string) (string, error) {
	return t.act(ctx, verb, node)
}

func (t remote) leader(context.Context) (string, error) { return "", errNoNodes }
func (t remote) states() map[string]string              { return nil }
func (t remote) memory() map[string]int64               { return nil }
func (t remote) close(context.Context) error            { return nil }

func (t remote) describe() string {
	scheme, rest, _ := strings.Cut(t.url, "://")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host // never show a password
	}
	return scheme + "://" + rest
}
