package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

var (
	// ErrNoLeader says that there is no leader at the moment: an election is under way, or too few nodes run.
	ErrNoLeader = errors.New("no leader")
	// ErrNoStream says that all nodes answered and none has the stream.
	ErrNoStream = errors.New("no such stream")
)

// Leader returns the node that leads a stream, or for "" the one that leads the cluster. A leader counts if it says so itself
// and, together with the nodes that name it, is a majority of those that hold the stream: one that is cut off or has lost
// its followers still believes in itself for a while. The error wraps ErrNoLeader or ErrNoStream. It takes about a second at
// most.
func (c *Cluster) Leader(ctx context.Context, stream string) (name string, err error) {
	v, err := c.agreed(ctx, stream)
	if err != nil {
		return "", fmt.Errorf("cluster: %w", err)
	}
	return v.leader, nil
}

// Resolve returns the nodes that a target means now: a node's name, "leader", "follower" (the first running one that holds
// the stream and does not lead it), or "all".
func (c *Cluster) Resolve(ctx context.Context, stream, target string) ([]string, error) {
	switch target {
	case "all":
		return c.Nodes(), nil
	case "leader":
		leader, err := c.Leader(ctx, stream)
		if err != nil {
			return nil, err
		}
		return []string{leader}, nil
	case "follower":
		v, err := c.agreed(ctx, stream)
		if err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
		for _, name := range v.holders {
			if name != v.leader {
				return []string{name}, nil
			}
		}
		return nil, fmt.Errorf("cluster: %s has no running follower beside its leader %s", groupName(stream), v.leader)
	}
	if slices.Contains(c.Nodes(), target) {
		return []string{target}, nil
	}
	return nil, fmt.Errorf("cluster: %w", unknown("target", target, append(c.Nodes(), "leader", "follower", "all")))
}

// view is what a majority agrees on.
type view struct {
	leader  string
	peers   []peer   // the others, as the leader sees them
	holders []string // who answered and has the stream, in the order of their names
}

// answer is one node's part in it.
type answer struct {
	node    string
	report  report
	err     error
	group   *group // nil: it does not have the stream
	members int
}

// agreed asks all nodes that run and are not paused at once, and finds the leader that a majority names.
func (c *Cluster) agreed(ctx context.Context, stream string) (view, error) {
	got := make(chan answer, len(c.nodes))
	asked := 0
	for _, n := range c.nodes {
		if n.process() == nil || n.now() == Paused {
			continue
		}
		asked++
		go func() { // awaited below
			r, err := c.monitor.report(ctx, n, stream != "")
			got <- answer{node: n.name, report: r, err: err}
		}()
	}
	var all []answer
	for range asked {
		a := <-got
		a.group, a.members = a.report.find(stream, len(c.nodes))
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b answer) int { return strings.Compare(a.node, b.node) })
	return judge(stream, all, len(c.nodes))
}

// find returns what the report says about the group, and how many members that has.
func (r report) find(stream string, nodes int) (*group, int) {
	if stream == "" {
		return r.Meta, nodes
	}
	for _, account := range r.Accounts {
		for _, s := range account.Streams {
			if s.Name == stream {
				return s.Cluster, max(s.Config.Replicas, 1)
			}
		}
	}
	return nil, 0
}

// judge finds the leader in the nodes' answers.
func judge(stream string, all []answer, nodes int) (view, error) {
	var v view
	votes := map[string]int{}
	members, answered := 0, 0
	var silent []error
	for _, a := range all {
		if a.err != nil {
			silent = append(silent, a.err)
			continue
		}
		answered++
		if a.group == nil {
			continue
		}
		v.holders = append(v.holders, a.node)
		members = max(members, a.members)
		votes[a.group.Leader]++
	}
	for _, a := range all { // two may claim it, the old one and the new
		if a.group != nil && a.group.Leader == a.node && votes[a.node] > votes[v.leader] {
			v.leader, v.peers = a.node, a.group.Replicas
		}
	}
	name := groupName(stream)
	if len(v.holders) == 0 && answered == nodes && stream != "" {
		return view{}, fmt.Errorf("%w: %s (all %d nodes answered)", ErrNoStream, name, nodes)
	}
	if v.leader == "" || votes[v.leader] < members/2+1 {
		why := fmt.Sprintf("%d of %d nodes answer", answered, nodes)
		if v.leader != "" {
			why = fmt.Sprintf("%s claims it, with %d of the %d votes needed; %s", v.leader, votes[v.leader], members/2+1, why)
		}
		return view{}, errors.Join(append([]error{fmt.Errorf("%s: %w (%s)", name, ErrNoLeader, why)}, silent...)...)
	}
	return v, nil
}

func groupName(stream string) string {
	if stream == "" {
		return "the cluster"
	}
	return fmt.Sprintf("stream %q", stream)
}
