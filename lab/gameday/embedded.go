package gameday

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/havoqlab/havoq/lab/cluster"
	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// embedded is a cluster of nats-servers, each a process of havoq's own executable.
type embedded struct {
	cluster  *cluster.Cluster
	nodes    int
	replicas int
	stream   string
	external bool // the load is the user's application, which makes its streams itself
}

// The load's own time-outs against the embedded cluster. A send is given up after 2 s, so that a retry finds the new leader
// soon; a consumer's unsettled deliveries come back after 10 s, so that a crash shows within a short run.
const (
	sendTimeout = 2 * time.Second
	ackTimeout  = 10 * time.Second
)

func startEmbedded(ctx context.Context, r *run) (*embedded, error) {
	c := r.cfg.Scenario.Target.Cluster
	dir := filepath.Join(r.dir, "nodes")
	started, err := cluster.Start(ctx, cluster.Config{
		Dir: dir, Nodes: c.Nodes, Port: c.Port, Logger: r.log,
		OnState: func(node string, s cluster.State, detail string) { r.nodeChanged(node, string(s), detail) },
	})
	if err != nil {
		return nil, fmt.Errorf("start the embedded cluster: %w; the nodes' logs are in %s", err, dir)
	}
	return &embedded{cluster: started, nodes: c.Nodes, replicas: c.Replicas, stream: nats.StreamName(r.topic),
		external: r.cfg.Scenario.Workload.IsExternal()}, nil
}

func (t *embedded) queueURL(s *scenario.Scenario) string {
	q := url.Values{
		"replicas":     {strconv.Itoa(t.replicas)},
		"send-timeout": {sendTimeout.String()},
		"ack-timeout":  {ackTimeout.String()},
	}
	if s.Workload.Limit > 0 { // what is worked off must leave the stream, or it would be full for ever
		q.Set("max-msgs", strconv.FormatInt(s.Workload.Limit, 10))
		q.Set("retention", "workqueue")
	}
	return t.cluster.URL() + "?" + q.Encode()
}

func (t *embedded) resolve(ctx context.Context, expr string) ([]string, error) {
	return t.cluster.Resolve(ctx, t.stream, expr)
}

func (t *embedded) act(ctx context.Context, verb, node string) (string, error) {
	switch verb {
	case "kill":
		return t.cluster.Kill(ctx, node)
	case "pause":
		return t.cluster.Pause(ctx, node)
	case "stop":
		return t.cluster.Stop(ctx, node)
	case "wipe":
		return t.cluster.Wipe(ctx, node)
	}
	return "", fmt.Errorf("verb %q is not one that the embedded cluster knows: kill, pause, stop, wipe", verb)
}

func (t *embedded) undo(ctx context.Context, node string) (string, error) {
	switch t.cluster.State(node) {
	case cluster.Up:
		return node + " is up", nil
	case cluster.Paused:
		return t.cluster.Resume(ctx, node)
	case cluster.Starting: // left so by a start that was not seen through
		killed, err := t.cluster.Kill(ctx, node)
		if err != nil {
			return "", err
		}
		evidence, err := t.cluster.Start(ctx, node)
		return killed + "; " + evidence, err
	default:
		return t.cluster.Start(ctx, node)
	}
}

func (t *embedded) leader(ctx context.Context) (string, error) {
	return t.cluster.Leader(ctx, t.stream)
}

func (t *embedded) states() map[string]string {
	states := map[string]string{}
	for _, node := range t.cluster.Nodes() {
		states[node] = string(t.cluster.State(node))
	}
	return states
}

func (t *embedded) memory() map[string]int64 { return t.cluster.RSS() }

func (t *embedded) describe() string {
	if t.external {
		return fmt.Sprintf("up: %d × nats-server in processes of their own, synced writes", t.nodes)
	}
	return fmt.Sprintf("up: %d × nats-server in processes of their own, stream %q R%d, synced writes",
		t.nodes, t.stream, t.replicas)
}

func (t *embedded) close(ctx context.Context) error { return t.cluster.Close(ctx) }
