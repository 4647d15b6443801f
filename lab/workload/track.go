package workload

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// track knows, exactly, which messages of one producer are acked and which are processed, and so the lag: acked and not
// processed, each message counted once however often it is delivered.
//
// Sequence numbers are dense, so it is pages of bits: 4096 messages a page, three bits each (decided, acked, processed). A page
// whose messages are all decided and none of whose acked ones waits is let go, because nothing that comes later can change the
// lag: a processed message that is processed again counts once, and one that was never acked counts never. So the memory is
// about 1.6 KB for every 4096 messages that hold one in flight, waiting or lost (0.4 bytes a message if every page holds one),
// and 8 bytes for every other 4096.
type track struct {
	offered atomic.Uint64 // sequence numbers in use: [0, offered)

	mu    sync.Mutex // held for a few instructions
	pages []*page    // nil: not begun; finished: let go
	acked int64
	lag   int64
}

const pageSize = 4096

type page struct {
	decided, acked, processed [pageSize / 64]uint64
	decidedCount, lag         int
}

// letGo takes the place of every page that is finished. Nobody writes to it.
var letGo = &page{decidedCount: pageSize}

// decide says that the outcome of a message is final.
func (t *track) decide(seq uint64, acked bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, word, bit := t.page(seq)
	if p == letGo || p.decided[word]&bit != 0 {
		return
	}
	p.decided[word] |= bit
	p.decidedCount++
	if acked {
		t.acked++
		p.acked[word] |= bit
		if p.processed[word]&bit == 0 {
			p.lag++
			t.lag++
		}
	}
	t.release(seq, p)
}

// process says that a message was processed. A message that was never sent is no business of the lag.
func (t *track) process(seq uint64) {
	if seq >= t.offered.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p, word, bit := t.page(seq)
	if p == letGo || p.processed[word]&bit != 0 {
		return
	}
	p.processed[word] |= bit
	if p.acked[word]&bit != 0 {
		p.lag--
		t.lag--
		t.release(seq, p)
	}
}

// lags returns how many messages are acked, and how many of those are not processed.
func (t *track) lags() (acked, lag int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.acked, t.lag
}

func (t *track) page(seq uint64) (p *page, word int, bit uint64) {
	i := int(seq / pageSize)
	for len(t.pages) <= i {
		t.pages = append(t.pages, nil)
	}
	if t.pages[i] == nil {
		t.pages[i] = new(page)
	}
	return t.pages[i], int(seq % pageSize / 64), 1 << (seq % 64)
}

func (t *track) release(seq uint64, p *page) {
	if p.decidedCount == pageSize && p.lag == 0 {
		t.pages[seq/pageSize] = letGo
	}
}

// waiting lists the first few messages that are acked and not processed, for the logs of a drain that did not end.
func (t *track) waiting(most int) (seqs []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, p := range t.pages {
		if p == nil || p.lag == 0 {
			continue
		}
		for word := range p.acked {
			for left := p.acked[word] &^ p.processed[word]; left != 0; left &= left - 1 {
				if len(seqs) == most {
					return seqs
				}
				seqs = append(seqs, uint64(i*pageSize+word*64+bits.TrailingZeros64(left)))
			}
		}
	}
	return seqs
}
