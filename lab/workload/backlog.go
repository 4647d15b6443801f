package workload

import "time"

// backlog is a queue of intended times with a bound: messages that are due and not yet handed to the queue. Only those of them
// that are sent cost more than the eight bytes here.
type backlog struct {
	ring  []time.Duration // grows by doubling, up to the bound
	head  int
	size  int
	bound int
}

// push returns false if the backlog is full.
func (b *backlog) push(intended time.Duration) bool {
	if b.size == b.bound {
		return false
	}
	if b.size == len(b.ring) {
		b.grow()
	}
	b.ring[(b.head+b.size)%len(b.ring)] = intended
	b.size++
	return true
}

func (b *backlog) pop() time.Duration {
	intended := b.ring[b.head]
	b.head = (b.head + 1) % len(b.ring)
	b.size--
	return intended
}

func (b *backlog) clear() { b.head, b.size = 0, 0 }

func (b *backlog) grow() {
	ring := make([]time.Duration, min(b.bound, max(64, 2*len(b.ring))))
	for i := range b.size {
		ring[i] = b.ring[(b.head+i)%len(b.ring)]
	}
	b.ring, b.head = ring, 0
}
