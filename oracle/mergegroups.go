package oracle

import (
	"cmp"
	"slices"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// groupsWith names the groups of both, in the order that they have in both, or else in that of their names.
func (j *Judge) groupsWith(o *Judge) []string {
	mine, theirs := j.groupNames(), o.groupNames()
	if slices.Equal(mine, theirs) {
		return mine
	}
	for _, name := range theirs {
		if j.groups[name] == nil {
			mine = append(mine, name)
		}
	}
	slices.Sort(mine)
	return mine
}

func (j *Judge) groupNames() []string {
	var names []string
	for _, g := range j.list {
		names = append(names, g.name)
	}
	return names
}

// groups makes one list of the groups that both saw.
func (m *merger) groups() {
	j, o := m.to, m.from
	var list []*group
	proofs := make(map[*group]proof)
	for _, name := range j.groupsWith(o) {
		g, theirs := j.groups[name], o.groups[name]
		is := j.proof(g).with(o.proof(theirs))
		switch {
		case g == nil:
			g = theirs
		case theirs != nil:
			g.union(theirs)
		}
		list = append(list, g)
		proofs[g] = is
	}
	j.renumberGroups(list)
	o.renumberGroups(list)
	j.drains = 0
	j.ackedAt = max(j.ackedAt, o.ackedAt)
	for i, g := range list {
		g.number = i
		is := proofs[g]
		g.asked, g.drain, g.drained, g.refuted, g.seen = is.asked, is.drain, is.drained, is.refuted, is.got
		if g.drained {
			j.drains++
			g.gaps.forget()
		}
	}
}

// union adds what another judge saw of the group, but for its drain.
func (g *group) union(o *group) {
	for stream := range o.streams {
		g.streams[stream] = true
	}
	g.gaps.union(&o.gaps)
	g.work = max(g.work, o.work)
	g.positions.union(&o.positions)
	g.sourced = g.sourced || o.sourced
	g.blind = append(g.blind, o.blind...)
	g.untimed, g.unordered = g.untimed || o.untimed, g.unordered || o.unordered
	g.elsewhere = g.elsewhere || o.elsewhere
	g.damaged += o.damaged
	g.foreign += o.foreign
}

// proof is what a judge knows of the drain of a group.
type proof struct {
	asked, drained bool
	drain          history.Event
	refuted        string
	acked, got     int64 // when it last saw a message acked, and one delivered to the group
}

// proof is what the judge knows of the drain of the group; nil: it does not know the group.
func (j *Judge) proof(g *group) proof {
	if g == nil {
		return proof{acked: j.ackedAt}
	}
	p := proof{g.asked, g.drained, g.drain, g.refuted, j.ackedAt, max(g.seen, g.gaps.done)}
	if g.drained {
		p.refuted = "" // that was an earlier one
	}
	return p
}

// with is what both know of the drain: the later one counts.
func (p proof) with(o proof) proof {
	switch {
	case p.asked && o.asked && p.drain.At == o.drain.At:
		if compareDrains(p.drain, o.drain) > 0 {
			p.drain = o.drain
		}
		p.drained = p.drained && o.drained
		p.refuted = least(p.refuted, o.refuted)
	case o.asked && (!p.asked || o.drain.At > p.drain.At):
		p, o = o, p
		fallthrough
	case p.asked:
		if p.drain.Outcome == queue.OK && p.drain.Value == 0 {
			p.refuted = least(p.refuted, o.after(p.drain.At))
			p.drained = p.refuted == ""
		}
	}
	p.got = max(p.got, o.got)
	return p
}

// after says what the judge saw after another one's drain, or in the same moment.
func (p proof) after(drain int64) string {
	switch {
	case p.got > 0 && p.got >= drain:
		return "it got messages"
	case p.acked > 0 && p.acked >= drain:
		return "messages were acked"
	default:
		return ""
	}
}

// least is the first of two texts by the alphabet, of those that say something.
func least(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return min(a, b)
}

// compareDrains puts the one first that proves less.
func compareDrains(a, b history.Event) int {
	worth := func(e history.Event) int {
		if e.Outcome == queue.OK && e.Value == 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(worth(a)-worth(b), cmp.Compare(b.Value, a.Value), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Detail, b.Detail))
}

// renumberGroups gives the groups their places in a list.
func (j *Judge) renumberGroups(list []*group) {
	to := make([]int, len(j.list))
	for i, g := range j.list {
		to[i] = slices.IndexFunc(list, func(n *group) bool { return n.name == g.name })
	}
	for _, t := range j.tracks {
		shares := t.shares
		t.cursor = cursor{}
		t.shares = make([]*share, len(list))
		for i, s := range shares {
			if s != nil {
				s.group = list[to[i]]
				t.shares[to[i]] = s
			}
		}
		for p := range t.whole() {
			got := p.got
			p.got = make([]*reads, len(list))
			for i, r := range got {
				p.got[to[i]] = r
			}
		}
	}
	j.renumberHits(list, to)
	j.list, j.lastGroup = list, nil
	j.groups = make(map[string]*group, len(list))
	for _, g := range list {
		j.groups[g.name] = g
	}
}

// renumberHits does it for the hits.
func (j *Judge) renumberHits(list []*group, to []int) {
	for _, f := range j.faults.list {
		f.awaited = moveBits(f.awaited, to)
	}
	done := make(map[*hit]bool)
	for _, hits := range j.faults.hits {
		for _, h := range hits {
			if done[h] { // one may answer for several messages
				continue
			}
			done[h] = true
			h.spent = moveBits(h.spent, to)
			if h.group != nil {
				h.group = list[to[h.group.number]]
			}
		}
	}
}

func moveBits(bits uint64, to []int) (moved uint64) {
	for from, n := range to {
		moved |= bits >> from & 1 << n
	}
	return moved
}

// settleReaders finds out anew who reads what, and who waits for something.
func (j *Judge) settleReaders() {
	for _, g := range j.list {
		g.waiting = 0
	}
	for _, t := range j.tracks {
		for _, g := range j.list {
			if g.streams[t.id.Stream] {
				t.read(g)
			}
		}
		t.readers, t.waiting = 0, 0
		for _, s := range t.shares {
			if s == nil || !s.reads {
				continue
			}
			t.readers++
			if s.waiting = t.acked > s.delivered; s.waiting {
				t.waiting++
				s.group.waiting++
			}
		}
	}
}
