package oracle

import (
	"cmp"
	"math"
	"slices"
)

// faults makes one list of the faults that both were told of. A fault is the same if its name, its beginning and its node are.
func (m *merger) faults() {
	j, o := m.to, m.from
	mine, theirs := slices.Clone(j.faults.list), slices.Clone(o.faults.list)
	all, as := unionFaults(mine, theirs)
	j.renumberFaults(mine, func(f *injected) int { return slices.Index(all, f) })
	o.renumberFaults(theirs, func(f *injected) int { return slices.Index(all, as[f]) })
	j.faults.list = all
	j.faults.active = slices.DeleteFunc(slices.Clone(all), func(f *injected) bool { return f.isGone })
	for key, hits := range o.faults.hits {
		for _, h := range hits {
			if f, theirs := as[h.fault]; theirs {
				h.fault = f
			}
		}
		j.faults.hits[key] = append(j.faults.hits[key], hits...)
		slices.SortStableFunc(j.faults.hits[key], func(a, b *hit) int {
			return cmp.Or(slices.Index(all, a.fault)-slices.Index(all, b.fault), cmp.Compare(a.verb, b.verb))
		})
	}
	for _, t := range o.tracks {
		t.hasty = t.hasty.moved(as)
	}
	// What o does from here on, it does with the faults of both.
	o.faults.list, o.faults.active, o.faults.hits = all, j.faults.active, j.faults.hits
}

// unionFaults makes one list of two. as says which fault of it each of theirs is.
func unionFaults(mine, theirs []*injected) (all []*injected, as map[*injected]*injected) {
	as = make(map[*injected]*injected)
	all, left := slices.Clone(mine), slices.Clone(mine)
	for _, exactly := range []bool{true, false} {
		for _, f := range theirs {
			i := slices.IndexFunc(left, func(a *injected) bool { return a.is(f, exactly) })
			if as[f] != nil || i < 0 {
				continue
			}
			as[f] = left[i]
			left = slices.Delete(left, i, i+1)
		}
	}
	same := len(mine) == len(theirs)
	for i, f := range theirs {
		same = same && as[f] == mine[i]
	}
	for _, f := range theirs {
		if as[f] == nil {
			as[f] = f
			all = append(all, f)
		}
	}
	if !same {
		slices.SortStableFunc(all, func(a, b *injected) int {
			return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Node, b.Node), cmp.Compare(a.What, b.What))
		})
	}
	for _, f := range theirs {
		if as[f] != f {
			as[f].union(f)
		}
	}
	return all, as
}

// is says that two judges were told of the same fault. exactly: with the same node; else one of them may not have been told it.
func (f *injected) is(o *injected, exactly bool) bool {
	return f.Name == o.Name && f.Begin == o.Begin && (f.Node == o.Node || !exactly && (f.Node == "" || o.Node == ""))
}

// union adds what another judge was told of the fault. Groups have their merged numbers already.
func (f *injected) union(o *injected) {
	f.What, f.Node = max(f.What, o.What), max(f.Node, o.Node)
	f.Seen, f.Heal, f.Gone = max(f.Seen, o.Seen), max(f.Heal, o.Heal), max(f.Gone, o.Gone)
	f.isSeen, f.isGone = f.isSeen || o.isSeen, f.isGone || o.isGone
	f.Hits = max(f.Hits, o.Hits)
	f.struck += o.struck
	f.exposed += o.exposed
	f.sent = f.sent || o.sent
	f.awaited |= o.awaited
	for anomaly, n := range o.anomalies {
		f.count(anomaly, n)
	}
	f.lag.union(&o.lag)
}

func (f *injected) count(anomaly string, n int64) {
	if f.anomalies == nil {
		f.anomalies = make(map[string]int64)
	}
	if f.anomalies[anomaly] += n; f.anomalies[anomaly] == 0 {
		delete(f.anomalies, anomaly)
	}
}

// union adds what another judge saw of the lag.
func (l *lagWatch) union(o *lagWatch) {
	l.over = l.over || o.over
	for group, s := range o.groups {
		switch mine := l.groups[group]; {
		case mine == nil:
			if l.groups == nil {
				l.groups = make(map[string]*lagState)
			}
			l.groups[group] = s
		case o.last == l.last:
			mine.high = mine.high || s.high
		case o.last > l.last:
			mine.high = s.high
		}
		mine := l.groups[group]
		mine.was, mine.normal = mine.was || s.was, max(mine.normal, s.normal)
	}
	l.last = max(l.last, o.last)
}

// renumberFaults changes the numbers of faults in all that was given up.
func (j *Judge) renumberFaults(list []*injected, number func(*injected) int) {
	to := make([]uint16, faultFirst, faultFirst+len(list))
	to[faultNone] = faultNone
	moved := false
	for i, f := range list {
		to = append(to, uint16(min(number(f)+faultFirst, math.MaxUint16)))
		moved = moved || number(f) != i
	}
	if !moved {
		return
	}
	for _, t := range j.tracks {
		for _, s := range t.shares {
			if s == nil {
				continue
			}
			for i := range s.old {
				renumberPacked(s.old[i].odd, to)
			}
		}
		for p := range t.whole() {
			for _, r := range p.got {
				for i := range r.told() {
					r.faults[i] = to[r.faults[i]]
				}
			}
		}
	}
}

// told is what explains that messages are missing, if it was judged.
func (r *reads) told() []uint16 {
	if r == nil {
		return nil
	}
	return r.faults
}

// renumberPacked does it in what pack made: each state's third word is a fault.
func renumberPacked(odd, to []uint16) {
	if odd == nil {
		return
	}
	odd = odd[1+3*int(odd[0]):]
	odd[2] = to[odd[2]]
	for odd = odd[3:]; len(odd) > 0; odd = odd[4+odd[3]:] {
		odd[2] = to[odd[2]]
	}
}
