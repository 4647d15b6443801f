package cluster

import (
	"errors"
	"slices"
	"testing"
)

// says is a node's answer that it holds a stream of three and who leads it.
func says(node, leader string) answer {
	return answer{node: node, group: &group{Leader: leader}, members: 3}
}

func TestJudge(t *testing.T) {
	silent := func(node string) answer { return answer{node: node, err: errors.New(node + " does not answer")} }
	alone := func(node, leader string) answer {
		return answer{node: node, group: &group{Leader: leader}, members: 1}
	}
	empty := func(node string) answer { return answer{node: node} }
	tests := []struct {
		name    string
		answers []answer
		leader  string
		holders []string
		err     error
	}{
		{"agreed", []answer{says("n1", "n2"), says("n2", "n2"), says("n3", "n2")}, "n2", []string{"n1", "n2", "n3"}, nil},
		{"one is down", []answer{says("n1", "n1"), says("n3", "n1")}, "n1", []string{"n1", "n3"}, nil},
		{"one does not answer", []answer{says("n1", "n1"), silent("n2"), says("n3", "n1")}, "n1", []string{"n1", "n3"}, nil},
		{"the old leader still claims it", []answer{says("n1", "n1"), says("n2", "n3"), says("n3", "n3")}, "n3", []string{"n1", "n2", "n3"}, nil},
		{"it is dead and the others still name it", []answer{says("n1", "n2"), says("n3", "n2")}, "", nil, ErrNoLeader},
		{"it has stepped down", []answer{says("n1", "n2"), says("n2", ""), says("n3", "n2")}, "", nil, ErrNoLeader},
		{"it is alone", []answer{says("n1", "n1")}, "", nil, ErrNoLeader},
		{"election", []answer{says("n1", ""), says("n2", ""), says("n3", "n3")}, "", nil, ErrNoLeader},
		{"unreplicated", []answer{empty("n1"), alone("n2", "n2"), empty("n3")}, "n2", []string{"n2"}, nil},
		{"unreplicated and down", []answer{empty("n1"), empty("n3")}, "", nil, ErrNoLeader},
		{"no stream", []answer{empty("n1"), empty("n2"), empty("n3")}, "", nil, ErrNoStream},
		{"nobody answers", []answer{silent("n1"), silent("n2"), silent("n3")}, "", nil, ErrNoLeader},
		{"nobody is there", nil, "", nil, ErrNoLeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := judge("S", tt.answers, 3)
			if !errors.Is(err, tt.err) || v.leader != tt.leader || (err == nil && !slices.Equal(v.holders, tt.holders)) {
				t.Errorf("judged %+v, %v", v, err)
			}
		})
	}
}
