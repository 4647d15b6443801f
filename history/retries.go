package history

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"
)

// retries remembers messages whose outcome was not OK, by topic and ID, until they are sent again: at most limit of them, the
// youngest.
type retries struct {
	limit int
	count atomic.Int64 // len(known): most messages need not take the lock

	mu     sync.Mutex
	known  map[retryKey]*list.Element
	order  list.List // of retry, oldest first
	gap    int       // messages forgotten since the last Gap event
	gapped bool      // there has been one
}

type retryKey struct{ topic, id string }

type retry struct {
	key  retryKey
	sent sent
}

// gapEvery is how many more messages are forgotten before another Gap event says so.
const gapEvery = 1024

// none reports whether nothing waits to be sent again.
func (r *retries) none() bool { return r.count.Load() == 0 }

// take returns what is known of a message that is sent now, and forgets it.
func (r *retries) take(topic, id string) (sent, bool) {
	if id == "" || r.none() {
		return sent{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	element, ok := r.known[retryKey{topic, id}]
	if !ok {
		return sent{}, false
	}
	return r.forget(element).sent, true
}

func (r *retries) forget(element *list.Element) retry {
	known := r.order.Remove(element).(retry)
	delete(r.known, known.key)
	r.count.Store(int64(len(r.known)))
	return known
}

// put remembers a message. Where the oldest had to be forgotten for it, now or before, and it is time to say so, gap is how many
// they are.
func (r *retries) put(topic, id string, s sent) (gap int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[retryKey]*list.Element{}
	}
	key := retryKey{topic, id}
	if element, ok := r.known[key]; ok { // sent twice at once: one of them may be sent again
		r.forget(element)
	} else if len(r.known) >= r.limit {
		r.forget(r.order.Front())
		r.gap++
	}
	r.known[key] = r.order.PushBack(retry{key, s})
	r.count.Store(int64(len(r.known)))
	if r.gap >= gapEvery || r.gap > 0 && !r.gapped { // the first is told of at once: from then on a judge must be careful
		gap, r.gap, r.gapped = r.gap, 0, true
	}
	return gap
}

// remember keeps the identity of a message for the application's retry.
func (h *hooks) remember(topic, id string, s sent) {
	if id == "" {
		return
	}
	if gap := h.retries.put(topic, id, s); gap > 0 {
		h.Recorder.Record(Event{Kind: Gap, Name: GapRetries, Value: float64(gap), Detail: fmt.Sprintf("more than %d messages wait "+
			"for a retry: the oldest are forgotten, and a retry of such a message counts as a new one (Config.Retries)", h.retries.limit)})
	}
}
