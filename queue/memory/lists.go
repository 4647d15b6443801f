package memory

import "time"

// list is a first-in, first-out list of items that are linked by themselves: moving one allocates nothing.
type list struct {
	first, last *item
	n           int
}

func (l *list) push(it *item) {
	it.prev, it.next = l.last, nil
	if l.last == nil {
		l.first = it
	} else {
		l.last.next = it
	}
	l.last = it
	l.n++
}

func (l *list) remove(it *item) {
	if it.prev == nil {
		l.first = it.next
	} else {
		it.prev.next = it.next
	}
	if it.next == nil {
		l.last = it.prev
	} else {
		it.next.prev = it.prev
	}
	it.prev, it.next = nil, nil
	l.n--
}

// schedule is a heap (container/heap) of items by the time they are due, and by offset where that is equal.
type schedule []*item

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	if s[i].at.Equal(s[j].at) {
		return s[i].entry.offset < s[j].entry.offset
	}
	return s[i].at.Before(s[j].at)
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)   { *s = append(*s, x.(*item)) }
func (s *schedule) Pop() any {
	old := *s
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return it
}

// maxRemembered bounds the IDs that one topic remembers.
const maxRemembered = 1 << 20

// dedup remembers the IDs of a window of time. The zero window remembers nothing.
type dedup struct {
	window time.Duration
	offset map[string]int64
	line   []remembered // oldest first, from head on
	head   int
}

type remembered struct {
	id    string
	until time.Time
}

func newDedup(window time.Duration) dedup {
	return dedup{window: window, offset: make(map[string]int64)}
}

func (d *dedup) find(id string, now time.Time) (offset int64, ok bool) {
	for d.head < len(d.line) && !d.line[d.head].until.After(now) {
		delete(d.offset, d.line[d.head].id)
		d.line[d.head] = remembered{}
		d.head++
	}
	if d.head > len(d.line)/2 {
		d.line = append(d.line[:0], d.line[d.head:]...)
		d.head = 0
	}
	offset, ok = d.offset[id]
	return offset, ok && id != ""
}

func (d *dedup) full() bool { return len(d.line)-d.head >= maxRemembered }

func (d *dedup) remember(id string, offset int64, now time.Time) {
	if d.window == 0 || id == "" {
		return
	}
	d.offset[id] = offset
	d.line = append(d.line, remembered{id, now.Add(d.window)})
}
