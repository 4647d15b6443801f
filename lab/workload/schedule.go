package workload

import (
	"sync"
	"time"
)

// schedule says when each message is meant to be sent. Message i of all producers together is due at i/rate after the origin, and
// a change of the rate bends that line without a step: nothing is skipped, doubled or moved. Producer p of n has the messages
// i with i mod n = p-1, so that together they are as even as one.
//
// The segments are a linked list from the oldest that some producer still has to pass; the garbage collector takes the rest.
type schedule struct {
	start time.Time // zero of all offsets

	mu    sync.Mutex // held for short computations only
	last  *segment
	ended time.Duration // nothing is due later; 0: no end
}

// segment is a stretch of constant rate. It does not change, but for next, which is set once, under the schedule's lock.
type segment struct {
	from  time.Duration // since the start
	index float64       // how many messages were due before from; a fraction is one on its way
	rate  float64       // messages a second
	next  *segment
}

func (s *segment) due(i int64) time.Duration {
	return s.from + time.Duration((float64(i)-s.index)/s.rate*1e9)
}

func newSchedule(start time.Time, rate float64) *schedule {
	return &schedule{start: start, last: &segment{from: time.Since(start), rate: rate}}
}

// setRate bends the schedule now. A time that a cursor was given before is kept, because both hold the lock.
func (s *schedule) setRate(rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.start)
	index := s.last.index + (now-s.last.from).Seconds()*s.last.rate
	s.last.next = &segment{from: now, index: index, rate: rate}
	s.last = s.last.next
}

// end ends the schedule now.
func (s *schedule) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = time.Since(s.start)
}

// cursor is one producer's place in the schedule.
type cursor struct {
	schedule *schedule
	at       *segment
	index    int64 // of the next message
	step     int64
}

func (s *schedule) cursor(producer, producers int) *cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &cursor{schedule: s, at: s.last, index: int64(producer - 1), step: int64(producers)}
}

// take calls yield with the intended time of each message that is due, and returns when the next one will be.
func (c *cursor) take(yield func(intended time.Duration)) (next time.Duration) {
	c.schedule.mu.Lock()
	defer c.schedule.mu.Unlock()
	now := time.Since(c.schedule.start)
	if c.schedule.ended > 0 {
		now = min(now, c.schedule.ended)
	}
	for {
		for c.at.next != nil && float64(c.index) >= c.at.next.index {
			c.at = c.at.next
		}
		intended := c.at.due(c.index)
		if intended > now {
			return intended
		}
		yield(intended)
		c.index += c.step
	}
}
