package memory

import (
	"slices"
	"time"
)

// wakeOne wakes the consumer that waits longest, if there is something to take. It is the woken one's duty to wake the next
// after it has taken its part, or if it leaves without taking anything: so one message wakes one consumer.
func (g *group) wakeOne() {
	if len(g.waiters) == 0 || g.takeable() == 0 {
		return
	}
	c := g.waiters[0]
	g.waiters = slices.Delete(g.waiters, 0, 1)
	c.wake <- struct{}{} // has room for one; c took the last one before it began to wait
}

// leave takes c out of the waiters, or passes on the wake-up that it was given and does not use.
func (g *group) leave(c *consumer) {
	if i := slices.Index(g.waiters, c); i >= 0 {
		g.waiters = slices.Delete(g.waiters, i, i+1)
		return
	}
	select {
	case <-c.wake:
	default:
	}
	g.wakeOne()
}

// arm makes sure that the timer fires when the next delivery expires or the next delayed message is due. It may fire early:
// a deadline that was acked away is not worth a Reset.
func (g *group) arm(now time.Time) {
	var next time.Time
	if g.inFlight.first != nil {
		next = g.inFlight.first.at
	}
	if len(g.delayed) > 0 && (next.IsZero() || g.delayed[0].at.Before(next)) {
		next = g.delayed[0].at
	}
	switch {
	case next.IsZero() || g.topic.closed || !g.alarm.IsZero() && !next.Before(g.alarm):
		return
	case g.timer == nil:
		g.timer = time.AfterFunc(next.Sub(now), g.ring)
	default:
		g.timer.Reset(next.Sub(now))
	}
	g.alarm = next
}

// ring is called by the timer.
func (g *group) ring() {
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	if g.topic.closed {
		return
	}
	now := time.Now()
	g.alarm = time.Time{}
	g.advance(now)
	g.arm(now)
	g.wakeOne()
}
