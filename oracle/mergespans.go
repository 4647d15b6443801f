package oracle

import (
	"cmp"
	"slices"
)

// union adds what another saw: there is an outage where one of them had one.
func (w *watch) union(o *watch) {
	switch {
	case w.waiting && o.waiting:
		w.since = min(w.since, o.since)
	case o.waiting:
		w.waiting, w.since = true, o.since
	}
	w.any = w.any || o.any
	w.last, w.done = max(w.last, o.last), max(w.done, o.done)
	w.dropped += o.dropped
	w.long = unionWindows(w.long, o.long)
	if more := len(w.long) - maxSpans; more > 0 {
		w.long = w.long[:maxSpans]
		w.dropped += int64(more)
	}
}

// union is the same, and adds up the gaps.
func (g *gaps) union(o *gaps) {
	for i, n := range o.hist {
		g.hist[i] += n
	}
	g.watch.union(&o.watch)
}

// unionWindows joins the windows that overlap.
func unionWindows(a, b []Window) []Window {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b Window) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	out := all[:1]
	for _, w := range all[1:] {
		if last := &out[len(out)-1]; w.From < last.To {
			last.To = max(last.To, w.To)
		} else {
			out = append(out, w)
		}
	}
	return out
}

// union adds what another was told of the phases: the later one is the current one.
func (p *phases) union(o *phases) {
	if o.begun > p.begun || o.begun == p.begun && o.name > p.name {
		p.name, p.base, p.begun, p.ended = o.name, o.base, o.begun, o.ended
	}
	p.baseTime, p.baseLag = max(p.baseTime, o.baseTime), max(p.baseLag, o.baseLag)
	p.baseAcks += o.baseAcks
}

// union adds the positions that another judge saw.
func (ps *positions) union(o *positions) {
	ps.last, ps.reader = nil, nil
	for n, p := range o.parts {
		mine := ps.parts[n]
		switch {
		case mine != nil:
			mine.First, mine.Last = min(mine.First, p.First), max(mine.Last, p.Last)
			mine.Backward += p.Backward
			mine.got += p.got
		case len(ps.parts) < maxPositions:
			if ps.parts == nil {
				ps.parts = make(map[int32]*part)
			}
			ps.parts[n] = p
		}
	}
	for key, r := range o.clients {
		mine := ps.clients[key]
		switch {
		case mine != nil && mine.claim == r.claim:
			mine.high = max(mine.high, r.high)
		case mine != nil && mine.claim < r.claim:
			mine.claim, mine.high = r.claim, r.high
		case mine == nil && len(ps.clients) < maxPositions:
			if ps.clients == nil {
				ps.clients = make(map[client]*reader)
			}
			ps.clients[key] = r
		}
	}
}
