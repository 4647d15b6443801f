package oracle

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	outageFloor  = int64(250 * time.Millisecond) // shorter ones are not looked at
	outageFactor = 10                            // of the median gap
	outageMerge  = int64(2 * time.Second)        // closer ones are one
	maxSpans     = 1 << 14
)

// gaps finds the spans without a success while something was wanted: confirmed sends while some were attempted, deliveries or
// work done on them while something confirmed was waiting.
type gaps struct {
	waiting bool
	since   int64 // waiting: without a success since
	last    int64 // the last attempt that came to nothing
	done    int64 // the last success
	any     bool
	hist    [64 * 8]int64 // gaps between successes, eight classes an octave
	count   int64
	long    []Window // the spans of at least outageFloor
	dropped int64    // spans that were not kept
}

// want says that something is wanted from now on.
func (g *gaps) want(at int64) {
	if !g.waiting {
		g.waiting, g.since, g.last = true, at, at
	}
}

// attempt is a send. fresh: nothing else is attempted just now, and this is not a retry; after a pause it begins a new span.
func (g *gaps) attempt(at int64, fresh bool) {
	if g.waiting && fresh && at-g.last > outageMerge {
		g.keep(Window{g.since, g.last})
		g.waiting = false
	}
	g.want(at)
}

// miss is the end of an attempt that was no success.
func (g *gaps) miss(at int64) { g.last = max(g.last, at) }

// success ends the span, and begins the next one if more is wanted.
func (g *gaps) success(at int64, more bool) {
	if g.any {
		g.hist[class(at-g.done)]++
		g.count++
	}
	g.done, g.any = at, true
	if g.waiting {
		g.keep(Window{g.since, at})
	}
	g.waiting, g.since, g.last = more, at, at
}

// sign is work that goes on: no delivery, but no outage either.
func (g *gaps) sign(at int64) {
	if g.waiting {
		g.keep(Window{g.since, at})
		g.since, g.last = at, at
	}
}

// forget drops the span: nothing is wanted any more.
func (g *gaps) forget() { g.waiting = false }

func (g *gaps) keep(w Window) {
	if w.To-w.From < outageFloor {
		return
	}
	if len(g.long) == maxSpans {
		g.long = g.real(g.long)
		if len(g.long) > maxSpans/2 {
			g.dropped++
			return
		}
	}
	g.long = append(g.long, w)
}

// real returns the spans, of at least outageFloor, that are outages, merged.
func (g *gaps) real(spans []Window) []Window {
	least := outageFactor * g.median()
	var out []Window
	for _, w := range spans {
		switch {
		case w.To-w.From < least:
		case len(out) > 0 && w.From-out[len(out)-1].To < outageMerge:
			out[len(out)-1].To = w.To
		default:
			out = append(out, w)
		}
	}
	return out
}

// outages returns the outages; ongoing: the last one had no end when the history ended, at now.
func (g *gaps) outages(now int64) (list []Window, ongoing bool) {
	spans := g.long
	if g.waiting && now-g.since >= outageFloor {
		spans = append(slices.Clip(spans), Window{g.since, now})
	}
	list = g.real(spans)
	ongoing = g.waiting && len(list) > 0 && list[len(list)-1].To == now
	return list, ongoing
}

// class is a gap's place in the histogram.
func class(gap int64) int {
	if gap < 8 {
		return int(max(gap, 0))
	}
	octave := bits.Len64(uint64(gap)) - 1
	return (octave-2)*8 + int(gap>>(octave-3))&7
}

// floor is the smallest gap of a class.
func floor(class int) int64 {
	if class < 8 {
		return int64(class)
	}
	octave := class/8 + 2
	return int64(8+class%8) << (octave - 3)
}

func (g *gaps) median() int64 {
	left := (g.count + 1) / 2
	for i, n := range g.hist {
		if left -= n; left <= 0 && g.count > 0 {
			return min(floor(i), math.MaxInt64/outageFactor)
		}
	}
	return 0
}
