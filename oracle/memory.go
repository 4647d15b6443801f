package oracle

import "unsafe"

// The judge keeps the messages of its last pages in full, up to a budget. What is older, and was passed by every group that
// reads it, is given up: of an ordinary message nothing is kept then, of any other one what it came to, but not when. So memory
// grows with what is in flight and with what is wrong, and not with the run.

const (
	// defaultMemory is about 50,000 messages of one group.
	defaultMemory = 2 << 20
	// hardFactor is how far beyond the budget memory may grow before pages go that are still being written: the last one of each
	// track. It is for histories of thousands of tracks.
	hardFactor = 64
	// tries is how many pages are looked at for one that can be given up, when a new one is needed.
	tries = 8

	pageBytes  = int64(unsafe.Sizeof(page{}))
	readsBytes = int64(unsafe.Sizeof(reads{}))
)

// memory holds the pages by age, and those that are not used.
type memory struct {
	limit int64
	used  int64
	queue []*page // the oldest first, from head on
	head  int
	pages []*page // cleared
	reads []*reads
}

// newPage makes a page; something old is given up for it if need be.
func (j *Judge) newPage(t *track, number uint64) *page {
	m := &j.memory
	for n := 0; m.used+pageBytes > m.limit && n < tries && m.head < len(m.queue); n++ {
		j.giveUpOldest(m.used > hardFactor*m.limit)
	}
	var p *page
	if n := len(m.pages); n > 0 {
		p, m.pages = m.pages[n-1], m.pages[:n-1]
	} else {
		p = new(page)
	}
	p.track, p.number, p.base = t, number, j.events
	m.used += pageBytes
	m.push(p)
	return p
}

func (j *Judge) newReads(p *page, g *group) *reads {
	m := &j.memory
	var r *reads
	if n := len(m.reads); n > 0 {
		r, m.reads = m.reads[n-1], m.reads[:n-1]
	} else {
		r = new(reads)
	}
	m.used += readsBytes
	for len(p.got) <= g.number {
		p.got = append(p.got, nil)
	}
	p.got[g.number] = r
	return r
}

func (m *memory) push(p *page) {
	if m.head > 1024 && m.head > len(m.queue)/2 {
		m.queue = m.queue[:copy(m.queue, m.queue[m.head:])]
		m.head = 0
	}
	m.queue = append(m.queue, p)
}

// giveUpOldest gives up the oldest page, or puts it off if something on it is still under way; hard: that it may still be written
// does not count.
func (j *Judge) giveUpOldest(hard bool) {
	m := &j.memory
	p := m.queue[m.head]
	m.queue[m.head] = nil
	m.head++
	if !j.giveUp(p, hard) {
		m.push(p)
	}
}

// giveUp gives up a page if it can be; false: not yet.
func (j *Judge) giveUp(p *page, hard bool) bool {
	t := p.track
	written := t.next <= (p.number+1)<<pageBits // more of it may be sent
	switch {
	case !t.passed(p), written && !hard, !p.stale && p.number != t.first:
		return false
	case p.stale:
		delete(t.back, p.number)
	}
	j.compact(p)
	if !p.stale {
		t.pages = t.pages[1:]
		t.first++
		for len(t.pages) > 0 && t.pages[0] == nil { // nothing is known of it, and nothing is kept
			t.pages = t.pages[1:]
			t.old = append(t.old, oldSent{})
			t.first++
		}
	}
	j.memory.free(p)
	return true
}

// passed says that every group that reads the page has got its last message, or a later one; and that there is such a group.
func (t *track) passed(p *page) bool {
	top := p.number<<pageBits + uint64(p.top)
	someone := false
	for _, s := range t.shares {
		if s == nil || !s.reads {
			continue
		}
		if s.delivered < top {
			return false
		}
		someone = true
	}
	return someone
}

func (m *memory) free(p *page) {
	m.used -= pageBytes
	if p.track.cursor.page == p {
		p.track.cursor = cursor{}
	}
	for _, r := range p.got {
		if r != nil {
			m.used -= readsBytes
			clear(r.records[:p.top])
			r.earliest, r.last, r.faults = 0, 0, nil
			m.reads = append(m.reads, r)
		}
	}
	clear(p.sent[:p.top])
	clear(p.got)
	p.track, p.number, p.base, p.top, p.stale, p.intended, p.lo, p.hi, p.got = nil, 0, 0, 0, false, nil, 0, 0, p.got[:0]
	m.pages = append(m.pages, p)
}
