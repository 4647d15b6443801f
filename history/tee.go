package history

import "sync"

// Tee returns a Recorder that gives every event to all of recorders, in the same order. An event without a time is stamped
// once, by the first of them that has a clock (as Writer and Memory do), so that all of them tell the same time.
func Tee(recorders ...Recorder) Recorder {
	t := &tee{recorders: recorders}
	for _, r := range recorders {
		if c, ok := r.(clock); ok {
			t.now = c.Now
			break
		}
	}
	return t
}

// clock is a Recorder's own: what it stamps events with.
type clock interface{ Now() int64 }

var (
	_ clock = (*Writer)(nil)
	_ clock = (*Memory)(nil)
)

type tee struct {
	now       func() int64
	mu        sync.Mutex
	recorders []Recorder
	last      int64
}

// Now is the time that an event recorded now is stamped with; 0: each recorder stamps its own.
func (t *tee) Now() int64 {
	if t.now == nil {
		return 0
	}
	return t.now()
}

func (t *tee) Record(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.At == 0 {
		e.At = t.Now()
	}
	t.order(&e)
	for _, r := range t.recorders {
		r.Record(e)
	}
}

// RecordBatch is Record for many, with one reading of the clock.
func (t *tee) RecordBatch(events []Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := int64(0)
	for i := range events {
		if events[i].At == 0 {
			if now == 0 {
				now = t.Now()
			}
			events[i].At = now
		}
		t.order(&events[i])
	}
	for _, r := range t.recorders {
		RecordAll(r, events)
	}
}

// order keeps times, where they are known, from going backwards. It is called with mu held.
func (t *tee) order(e *Event) {
	if e.At != 0 {
		e.At = max(e.At, t.last, 1)
		t.last = e.At
	}
}
