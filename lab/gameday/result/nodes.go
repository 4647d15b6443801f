package result

import "github.com/havoqlab/havoq/oracle"

// The states of a node that a report knows how to draw; others are shown by their word.
const (
	NodeStarting = "starting"
	NodeUp       = "up"
	NodeLeader   = "leader"
	NodePaused   = "paused"
	NodeDown     = "down"
)

// nodes follows the states of the nodes.
type nodes struct{ states map[string][]NodeState }

// set notes a node's new state. There is one leader: when another one becomes it, the old one is up and no more.
func (n *nodes) set(node, state string, at int64) {
	if state == NodeLeader {
		for other := range n.states {
			if other != node && n.state(other) == NodeLeader {
				n.change(other, NodeUp, at)
			}
		}
	}
	n.change(node, state, at)
}

func (n *nodes) state(node string) string {
	s := n.states[node]
	if len(s) == 0 {
		return ""
	}
	return s[len(s)-1].State
}

func (n *nodes) change(node, state string, at int64) {
	if n.state(node) == state {
		return
	}
	s := n.states[node]
	if len(s) > 0 {
		s[len(s)-1].To = at
	}
	n.states[node] = append(s, NodeState{Window: oracle.Window{From: at}, State: state})
}

func (n *nodes) close(end int64) {
	for _, s := range n.states {
		s[len(s)-1].To = max(end, s[len(s)-1].From)
	}
}
