package cluster

import (
	"context"
	"strings"
)

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
