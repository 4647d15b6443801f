package criteria

import (
	"fmt"
	"time"

	"github.com/havoqlab/havoq/oracle"
)

// DefaultWarmUp is how long after its first observation a guard forgives that there is no data yet.
const DefaultWarmUp = 10 * time.Second

// Guard watches one stop condition through a run. It is not safe for concurrent use: one goroutine observes.
//
// A guard fails safe. While data cannot be expected yet (none was ever there, and WarmUp has not passed since the first
// observation) it waits; from then on no data counts as broken, because a run that cannot be watched must not go on.
type Guard struct {
	Criterion
	// WarmUp is how long data may be missing at the beginning. 0: DefaultWarmUp.
	WarmUp time.Duration

	first  time.Time // the first observation
	since  time.Time // broken without a break since; zero: it holds
	seen   bool      // there was data once
	broken string    // why, once it is broken for good
}

// NewGuard makes a guard of what ParseGuard returned.
func NewGuard(c Criterion) *Guard { return &Guard{Criterion: c} }

// Observe looks at the source at this time, and reports whether the guard has been broken at every look for its time (the
// run must be aborted), and why. Once broken, it stays broken.
func (g *Guard) Observe(now time.Time, from Source) (broken bool, why string) {
	if g.broken != "" {
		return true, g.broken
	}
	if g.first.IsZero() {
		g.first = now
	}
	verdict, _, reason := g.Eval(from)
	switch {
	case verdict == oracle.Pass:
		g.seen, g.since = true, time.Time{}
		return false, ""
	case verdict == oracle.Unknown && !g.seen && now.Sub(g.first) < g.warmUp():
		return false, ""
	case verdict == oracle.Fail:
		g.seen = true
	}
	if g.since.IsZero() {
		g.since = now
	}
	held := now.Sub(g.since)
	if held < g.For {
		return false, ""
	}
	g.broken = fmt.Sprintf("%s, for %s", reason, FormatSeconds(held.Seconds()))
	if verdict == oracle.Unknown {
		g.broken += ": what cannot be watched is stopped"
	}
	return true, g.broken
}

func (g *Guard) warmUp() time.Duration {
	if g.WarmUp == 0 {
		return DefaultWarmUp
	}
	return g.WarmUp
}
