package memory

import "time"

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
