package history

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// retries remembers messages whose outcome was not OK, by topic and ID, until they are sent again: at most limit of them, the
// youngest.
type retries struct {
	limit int
	count atomic.Int64 // len(known): most messages need not take the lock

	mu    sync.Mutex
	known map[retryKey]retry
	ring  []retrySlot // in the order in which they came, some of them no longer known
	next  int         // where in ring the next one goes, once ring has grown to limit
	last  uint64
	full  bool
}

type retryKey struct{ topic, id string }

type retry struct {
	sent
	number uint64
}

type retrySlot struct {
	key    retryKey
	number uint64
}

// take returns what is known of a message that is sent now, and forgets it.
func (r *retries) take(topic, id string) (sent, bool) {
	if id == "" || r.count.Load() == 0 {
		return sent{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := retryKey{topic, id}
	known, ok := r.known[key]
	if ok {
		delete(r.known, key)
		r.count.Store(int64(len(r.known)))
	}
	return known.sent, ok
}

// put remembers a message. It reports whether the oldest was forgotten for it, the first time that this happens.
func (r *retries) put(topic, id string, s sent) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[retryKey]retry{}
	}
	r.last++
	slot := retrySlot{retryKey{topic, id}, r.last}
	r.known[slot.key] = retry{s, slot.number}
	forgot := false
	if len(r.ring) < r.limit {
		r.ring = append(r.ring, slot)
	} else {
		old := r.ring[r.next]
		if r.known[old.key].number == old.number {
			delete(r.known, old.key)
			forgot = true
		}
		r.ring[r.next] = slot
		r.next = (r.next + 1) % r.limit
	}
	r.count.Store(int64(len(r.known)))
	first := forgot && !r.full
	r.full = r.full || forgot
	return first
}

// remember keeps the identity of a message for the application's retry.
func (h *hooks) remember(topic, id string, s sent) {
	if id == "" {
		return
	}
	if h.retries.put(topic, id, s) {
		h.Recorder.Record(Event{Kind: Note, Name: "history", Detail: fmt.Sprintf("more than %d messages wait for a retry: the "+
			"oldest are forgotten, and a retry of such a message counts as a new one (Config.Retries)", h.retries.limit)})
	}
}
