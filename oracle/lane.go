package oracle

import (
	"math"

	"github.com/havoqlab/havoq/history"
)

// Under order partition, the messages of a track that go to one partition are one chain. Which one it is, is told when a message
// is confirmed, and when it comes.

// lane is what is known of a track's sends to one partition.
type lane struct {
	confirmed int64 // place of the first message confirmed there
}

// maxLanes bounds the partitions of a track; the order of what goes to further ones cannot be judged.
const maxLanes = 4096

// confirmLane reads that a message was confirmed in a partition.
func (j *Judge) confirmLane(t *track, p *page, m *sent, e *history.Event) {
	if e.Partition < 0 || m.invoked == math.MaxUint32 {
		return
	}
	m.chain = uint32(e.Partition) + 1 // no chain is needed by key
	l := t.parts[e.Partition]
	if l == nil {
		if len(t.parts) == maxLanes {
			return
		}
		if t.parts == nil {
			t.parts = make(map[int32]*lane)
		}
		t.parts[e.Partition] = &lane{confirmed: j.events}
		return
	}
	if l.confirmed < p.base-1+int64(m.invoked) {
		m.flags |= sentPromised
	}
}

// judgePartition judges the first delivery of a message under order partition.
func (j *Judge) judgePartition(s *share, p *page, m *sent, e *history.Event) {
	if m.flags&sentOld != 0 || m.invoked == math.MaxUint32 || m.confirmed == math.MaxUint32 || e.Partition < 0 ||
		m.confirmed != 0 && m.chain != uint32(e.Partition)+1 { // or it is a copy: the promise is of where it was confirmed
		j.unordered++
		return
	}
	if m.flags&sentPromised != 0 {
		j.counts.OrderedPairs++
	}
	f := s.lanes[e.Partition]
	if m.confirmed != 0 {
		switch passed, untold := f.passed(e.Identity.Seq, p.base+int64(m.confirmed)); {
		case passed:
			j.blame(f.seq, e, s.group)
			j.found(Reordered, Window{m.at, e.At}, &e.Identity, s.group)
		case untold:
			j.unordered++
		}
	}
	if place := p.base + int64(m.invoked); place > f.sent {
		if s.lanes == nil {
			s.lanes = make(map[int32]front)
		}
		if _, known := s.lanes[e.Partition]; !known && len(s.lanes) == maxLanes {
			j.unordered++
			return
		}
		s.lanes[e.Partition] = front{place, e.Identity.Seq}
	}
}
