package oracle

import (
	"cmp"
	"slices"

	"github.com/havoqlab/havoq/history"
)

// Position is what a group's positions in one partition tell, where the broker tells positions. It is for people: a broker may
// leave positions empty by right, and no contract forbids what is here.
type Position struct {
	Group     string `json:"group"`
	Partition int32  `json:"partition"`
	First     int64  `json:"first"` // lowest that the group got
	Last      int64  `json:"last"`  // highest
	// Skipped are the positions between First and Last from which the group got nothing. What other streams, transactions and
	// compaction put there counts, too.
	Skipped int64 `json:"skipped"`
	// Backward is how often a client got, in one claim and as a first delivery, a position below one that it had got before.
	Backward int64 `json:"backward"`
}

// maxPositions bounds the partitions and clients that are followed in a group; the rest are not looked at.
const maxPositions = 4096

// positions follows where a group's deliveries come from.
type positions struct {
	parts   map[int32]*part
	last    *part
	clients map[client]*reader
	reader  *reader
}

type part struct {
	Position
	got int64
}

type client struct {
	name      string
	partition int32
}

// reader is one client on one partition.
type reader struct {
	client
	claim int64
	high  int64
}

// got reads the first delivery of a message to the group.
func (ps *positions) got(g *group, e *history.Event) {
	if e.Offset <= 0 || e.Partition < 0 {
		return
	}
	p := ps.part(g, e)
	if p == nil {
		return
	}
	p.got++
	p.First, p.Last = min(p.First, e.Offset), max(p.Last, e.Offset)
	if e.Attempt > 1 {
		return // given back, or lost on the way: it comes when it comes
	}
	r := ps.client(e)
	switch {
	case r == nil:
	case r.claim != e.Claim:
		r.claim, r.high = e.Claim, e.Offset
	case e.Offset < r.high:
		p.Backward++
	default:
		r.high = e.Offset
	}
}

func (ps *positions) part(g *group, e *history.Event) *part {
	if ps.last != nil && ps.last.Partition == e.Partition {
		return ps.last
	}
	p := ps.parts[e.Partition]
	if p == nil {
		if len(ps.parts) == maxPositions {
			return nil
		}
		if ps.parts == nil {
			ps.parts = make(map[int32]*part)
		}
		p = &part{Position: Position{Group: g.name, Partition: e.Partition, First: e.Offset, Last: e.Offset}}
		ps.parts[e.Partition] = p
	}
	ps.last = p
	return p
}

func (ps *positions) client(e *history.Event) *reader {
	if r := ps.reader; r != nil && r.partition == e.Partition && same(r.name, e.Client) {
		return r
	}
	key := client{e.Client, e.Partition}
	r := ps.clients[key]
	if r == nil {
		if len(ps.clients) == maxPositions {
			return nil
		}
		if ps.clients == nil {
			ps.clients = make(map[client]*reader)
		}
		r = &reader{client: key, claim: e.Claim, high: e.Offset}
		ps.clients[key] = r
	}
	ps.reader = r
	return r
}

// list tells what was found, in a fixed order.
func (ps *positions) list() []Position {
	var all []Position
	for _, p := range ps.parts {
		p.Skipped = max(0, p.Last-p.First+1-p.got)
		all = append(all, p.Position)
	}
	slices.SortFunc(all, func(a, b Position) int { return cmp.Compare(a.Partition, b.Partition) })
	return all
}
