package memory

import (
	"fmt"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// topic holds messages and the groups' views of them. Its lock is the only one while messages move.
type topic struct {
	name   string
	config *Config

	mu     sync.Mutex
	closed bool
	next   int64             // offset of the next message
	held   int               // entries that count against MaxMessages
	first  *entry            // the entries held, oldest first
	last   *entry            //
	groups map[string]*group // every one has an item for each entry that it has not acked
	order  []*group          // the same, in the order of their creation
	recent dedup
}

// entry is a stored message. It is not changed once stored, but for its place in the list.
type entry struct {
	message    queue.Message
	offset     int64
	unfinished int // groups that have not acked it
	prev, next *entry
}

func newTopic(name string, c *Config) *topic {
	return &topic{name: name, config: c, groups: make(map[string]*group), recent: newDedup(c.DedupWindow)}
}

// join finds or creates the group. A new one gets all that the topic holds.
func (t *topic) join(name string) *group {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.groups[name]; g != nil {
		return g
	}
	g := &group{topic: t, name: name}
	t.groups[name] = g
	t.order = append(t.order, g)
	items := make([]item, t.held)
	now, i := time.Now(), 0
	for e := t.first; e != nil; e = e.next {
		g.enter(&items[i], e, now)
		i++
	}
	g.arm(now)
	return g
}

// admit stores a batch in order and says what became of it. If all of it was stored, results is nil, and the offsets run from
// first.
func (t *topic) admit(batch []queue.Message) (first int64, results []queue.Result) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	first = t.next
	if t.plain(batch) {
		t.store(batch, now)
	} else {
		results = t.sift(batch, now)
	}
	for _, g := range t.order {
		g.arm(now)
		g.wakeOne()
	}
	return first, results
}

// plain reports whether the whole batch will be stored, without looking at messages one by one.
func (t *topic) plain(batch []queue.Message) bool {
	return t.config.DedupWindow == 0 && t.config.MaxBody == 0 && t.held+len(batch) <= t.config.MaxMessages
}

// sift stores what it can of a batch, message by message.
func (t *topic) sift(batch []queue.Message, now time.Time) []queue.Result {
	results := make([]queue.Result, len(batch))
	var full error
	for i := range batch {
		m := &batch[i]
		r := &results[i]
		r.Offset = -1
		if at, ok := t.recent.find(m.ID, now); ok {
			r.Offset, r.Duplicate = at, true
			continue
		}
		switch {
		case t.config.MaxBody > 0 && len(m.Body) > t.config.MaxBody:
			r.Err = fmt.Errorf("memory: produce to %q: body of %d bytes, more than Config.MaxBody of %d: %w",
				t.name, len(m.Body), t.config.MaxBody, queue.ErrRefused)
		case t.held >= t.config.MaxMessages:
			if full == nil {
				full = fmt.Errorf("memory: produce to %q: it holds %d messages: ack some, or raise Config.MaxMessages: %w",
					t.name, t.held, ErrFull)
			}
			r.Err = full
		case m.ID != "" && t.recent.full():
			r.Err = fmt.Errorf("memory: produce to %q: %d IDs are remembered: shorten Config.DedupWindow: %w",
				t.name, maxRemembered, queue.ErrRefused)
		default:
			r.Offset = t.next
			t.recent.remember(m.ID, t.next, now)
			t.store(batch[i:i+1], now)
		}
	}
	return results
}

// store copies the batch and hands it to every group. Entries and items are allocated by the batch.
func (t *topic) store(batch []queue.Message, now time.Time) {
	entries := make([]entry, len(batch))
	items := make([]item, len(batch)*len(t.order))
	keep := newCopier(batch)
	for i := range batch {
		e := &entries[i]
		e.message = keep.message(&batch[i], now)
		e.offset = t.next
		t.next++
		t.append(e)
		for k, g := range t.order {
			g.enter(&items[k*len(batch)+i], e, now)
		}
	}
}

func (t *topic) append(e *entry) {
	e.prev = t.last
	if t.last == nil {
		t.first = e
	} else {
		t.last.next = e
	}
	t.last = e
	t.held++
}

// finish takes note that one group acked e.
func (t *topic) finish(e *entry) {
	e.unfinished--
	if e.unfinished > 0 || t.config.Keep {
		return
	}
	if e.prev == nil {
		t.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		t.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	t.held--
	*e = entry{} // a batch of entries is one piece of memory: let go of the body
}

// stop ends the groups' timers.
func (t *topic) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, g := range t.order {
		if g.timer != nil {
			g.timer.Stop()
		}
	}
}
