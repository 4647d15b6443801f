package workload

import (
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// batch is one call of Produce. A batch is not used again, so that a driver that reports too late or twice can harm no other.
type batch struct {
	messages []queue.Message // lent to the queue
	sendings []*sending
	answered []bool // owned by the producer's loop
}

// completion is one message's result, on its way from the driver's goroutine to the producer's loop.
type completion struct {
	batch *batch
	index int
	at    time.Duration // only while measuring
	err   error
}

// inbox takes completions from any goroutine without ever blocking it, and wakes the loop. It holds at most one entry for each
// message in flight.
type inbox struct {
	wake chan struct{} // capacity 1

	mu     sync.Mutex // held for an append
	items  []completion
	spare  []completion
	closed bool
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) put(c completion) {
	b.mu.Lock()
	if !b.closed {
		b.items = append(b.items, c)
	}
	b.mu.Unlock()
	b.nudge()
}

func (b *inbox) nudge() {
	select {
	case b.wake <- struct{}{}:
	default: // it is awake already
	}
}

// take returns what has come; the slice is good until the next call of take.
func (b *inbox) take() []completion {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items, b.spare = b.spare[:0], items
	return items
}

// close makes later completions vanish: they belong to messages that were given up as in doubt.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}
