package history

import (
	"iter"
	"slices"
	"sync"
	"time"
)

// Memory is a Recorder that keeps its events, all of them (170 bytes each): for tests and short runs. The zero value is ready,
// and its methods may be called concurrently.
type Memory struct {
	// Start is the origin of the times that it fills in. Zero: the first use of the Memory.
	Start time.Time

	mu     sync.Mutex
	events []Event
}

var _ Recorder = (*Memory)(nil)

// Record keeps e. As in a Writer, an At of 0 becomes Now, and At never goes backwards.
func (m *Memory) Record(e Event) {
	m.RecordBatch([]Event{e})
}

// RecordBatch keeps events, with one reading of the clock.
func (m *Memory) RecordBatch(events []Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, now := int64(1), int64(0)
	if n := len(m.events); n > 0 {
		last = m.events[n-1].At
	}
	m.events = append(m.events, events...)
	for i := len(m.events) - len(events); i < len(m.events); i++ {
		e := &m.events[i]
		if e.At == 0 {
			if now == 0 {
				now = m.now()
			}
			e.At = now
		}
		e.At = max(e.At, last)
		last = e.At
	}
}

// Now is the time since Start in nanoseconds.
func (m *Memory) Now() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now()
}

func (m *Memory) now() int64 {
	if m.Start.IsZero() {
		m.Start = time.Now()
	}
	return int64(time.Since(m.Start))
}

// Events returns what was recorded when the loop begins, in its order.
func (m *Memory) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		m.mu.Lock()
		events := slices.Clip(m.events)
		m.mu.Unlock()
		for _, e := range events {
			if !yield(e) {
				return
			}
		}
	}
}

// Len is the number of events so far.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events)
}
