package oracle

import (
	"math"
	"slices"
	"time"
)

const (
	outageFloor  = int64(250 * time.Millisecond) // shorter ones are not looked at
	outageFactor = 10                            // of the median gap
	outageMerge  = int64(2 * time.Second)        // closer ones are one
	maxSpans     = 1 << 14
)

// watch finds the spans of at least outageFloor without a success while something was wanted.
type watch struct {
	waiting bool
	any     bool
	since   int64    // waiting: without a success since
	last    int64    // the last attempt that came to nothing
	done    int64    // the last success
	long    []Window // the spans
	dropped int64    // spans that were not kept
}

// gaps finds the outages: the spans without a success while something was wanted that are far longer than usual. Confirmed
// sends while some were attempted, deliveries or work done on them while something confirmed was waiting.
type gaps struct {
	watch
	hist [classes]int64 // gaps between successes, eight classes an octave
}

// shortGap is the gap below which classes do not matter: with a median below it, every span of outageFloor is an outage.
const shortGap = outageFloor / (2 * outageFactor)

// classes is for all gaps that an int64 can hold.
const classes = 64 << 3

// want says that something is wanted from now on.
func (g *watch) want(at int64) {
	if !g.waiting {
		g.waiting, g.since, g.last = true, at, at
	}
}

// attempt is a send. fresh: nothing else is attempted just now, and this is not a retry; after a pause it begins a new span.
func (g *watch) attempt(at int64, fresh bool) {
	if g.waiting && fresh && at-g.last > outageMerge {
		g.keep(Window{g.since, g.last})
		g.waiting = false
	}
	g.want(at)
}

// miss is the end of an attempt that was no success.
func (g *watch) miss(at int64) { g.last = max(g.last, at) }

// success ends the span, and begins the next one if more is wanted.
func (g *watch) success(at int64, more bool) {
	if g.waiting && at-g.since >= outageFloor {
		g.keep(Window{g.since, at})
	}
	g.any, g.waiting, g.done, g.since, g.last = true, more, at, at, at
}

// success is the same, and counts the gap.
func (g *gaps) success(at int64, more bool) {
	switch gap := at - g.done; {
	case !g.any:
	case gap < shortGap:
		g.hist[0]++
	default:
		if c := class(gap); c < classes {
			g.hist[c]++
		}
	}
	if g.waiting && at-g.since >= outageFloor {
		g.tidy()
	}
	g.watch.success(at, more)
}

// tidy makes room for a span, if the ones that are no outages take too much; not again when it was in vain.
func (g *gaps) tidy() {
	if len(g.long) == maxSpans && g.dropped == 0 {
		g.long = g.real(g.long, outageFactor*g.median())
	}
}

// sign is work that goes on: no delivery, but no outage either.
func (g *watch) sign(at int64) {
	if g.waiting {
		if at-g.since >= outageFloor {
			g.keep(Window{g.since, at})
		}
		g.since, g.last = at, at
	}
}

// forget drops the span: nothing is wanted any more.
func (g *watch) forget() { g.waiting = false }

func (g *watch) keep(w Window) {
	if w.To-w.From < outageFloor {
		return
	}
	if len(g.long) == maxSpans {
		g.dropped++
		return
	}
	g.long = append(g.long, w)
}

// real returns the spans that are outages, merged: those of at least so long.
func (g *watch) real(spans []Window, least int64) []Window {
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
	return g.watch.outages(now, outageFactor*g.median())
}

func (g *watch) outages(now, least int64) (list []Window, ongoing bool) {
	spans := g.long
	if g.waiting && now-g.since >= outageFloor {
		spans = append(slices.Clip(spans), Window{g.since, now})
	}
	list = g.real(spans, least)
	ongoing = g.waiting && len(list) > 0 && list[len(list)-1].To == now
	return list, ongoing
}

// class is a gap's place in the histogram: its floating-point exponent and the first three bits of its mantissa, so eight classes
// an octave. The shortest gaps, of up to a nanosecond, are one.
func class(gap int64) uint64 {
	if gap < 1 {
		return 0
	}
	return math.Float64bits(float64(gap))>>49 - firstClass
}

// firstClass is the class of a nanosecond as floating-point numbers have it.
const firstClass = 1023 << 3

// floor is the smallest gap of a class.
func floor(class int) int64 { return int64(math.Float64frombits((uint64(class) + firstClass) << 49)) }

func (g *gaps) median() int64 {
	count := int64(0)
	for _, n := range g.hist {
		count += n
	}
	left := (count + 1) / 2
	for i, n := range g.hist {
		if left -= n; left <= 0 && count > 0 {
			return min(floor(i), math.MaxInt64/outageFactor)
		}
	}
	return 0
}
