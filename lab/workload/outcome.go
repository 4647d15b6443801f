package workload

import (
	"container/heap"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// complete takes one result: the message is done, or waits for its next attempt.
func (p *producer) complete(c completion, now time.Time) {
	b := c.batch
	if c.index < 0 || c.index >= len(b.answered) || b.answered[c.index] {
		p.counts.broken++
		return
	}
	b.answered[c.index] = true
	p.counts.inFlight--
	s := b.sendings[c.index]
	outcome := queue.OutcomeOf(c.err)
	if outcome == queue.OK {
		p.w.measure.acked(p.latency, s.intended, c.at)
		p.finish(s, queue.OK)
		return
	}
	p.lastErr = c.err
	if outcome == queue.Failed {
		p.counts.failedAttempts++
	} else {
		p.counts.unknownAttempts++
		s.doubt = true
	}
	s.next = now.Add(backoff(p.jitter, s.attempts))
	if !p.giveUpAt.IsZero() || s.next.Sub(s.first) > p.w.cfg.Retry {
		p.finish(s, s.standing())
		return
	}
	p.counts.retrying++
	heap.Push(&p.waiting, s)
}

// standing is the outcome over all attempts so far, none of which was confirmed: it has failed only if each of them has.
func (s *sending) standing() queue.Outcome {
	if s.doubt {
		return queue.Unknown
	}
	return queue.Failed
}

// finish makes the outcome final.
func (p *producer) finish(s *sending, outcome queue.Outcome) {
	switch outcome {
	case queue.OK:
		p.counts.acked++
	case queue.Failed:
		p.counts.failed++
	default:
		p.counts.inDoubt++
	}
	p.keys.release(s.key)
	p.track.decide(s.seq, outcome == queue.OK)
}

// giveUp lets the outcome of what waits for a retry stand. What is in flight gets its result soon, because the context of its
// Produce has ended.
func (p *producer) giveUp() {
	p.stopNew()
	p.giveUpAt = time.Now()
	for _, s := range append(p.waiting, p.due...) {
		p.finish(s, s.standing())
	}
	p.counts.retrying = 0
	p.waiting, p.due = nil, nil
}

// abandon accounts for messages whose driver never called done: they may or may not be in the queue.
func (p *producer) abandon() {
	if p.counts.inFlight == 0 {
		return
	}
	p.w.cfg.Logger.Error("workload: the driver never told what became of messages; they count as in doubt",
		"client", p.name, "messages", p.counts.inFlight)
	p.counts.inDoubt += p.counts.inFlight
	p.counts.inFlight = 0
}
