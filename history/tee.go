package history

import "sync"

// Tee returns a Recorder that gives every event to all of recorders, in the same order. An event without a time is stamped
// once, by the first of them that has a clock (as Writer and Memory do), so that all of them tell the same time.
func Tee(recorders ...Recorder) Recorder {
	t := &tee{recorders: recorders}
	for _, r := range recorders {
		if c, ok := r.(interface{ Now() int64 }); ok {
			t.now = c.Now
			break
		}
	}
	return t
}

type tee struct {
	now       func() int64
	mu        sync.Mutex
	recorders []Recorder
	last      int64
}

func (t *tee) Record(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.At == 0 && t.now != nil {
		e.At = t.now()
	}
	if e.At != 0 {
		e.At = max(e.At, t.last, 1)
		t.last = e.At
	}
	for _, r := range t.recorders {
		r.Record(e)
	}
}
