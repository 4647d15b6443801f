package history

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/havoqlab/havoq/queue"
)

const (
	maxPieces = 256                  // that are merged
	mostApart = 366 * 24 * time.Hour // they begin: what is further apart is no run
)

// Piece is the history that one machine recorded of a run.
type Piece struct {
	// Name stands in errors: the file's.
	Name string
	// Run is the run's number. 0: that of its first message counts.
	Run uint32
	// Start is the origin of its times by its own machine's clock. Zero: it is the same of all pieces.
	Start time.Time
	// Clock is how far its machine's clock is ahead of that of the others, if that is known: less than 0 where it is behind.
	Clock time.Duration
	// Events are its events, in the order of their times. Each loop over them is a new pass. They must not be those of another
	// piece, too.
	Events iter.Seq[Event]
	// Err says why the last pass ended early. Nil: it never does.
	Err func() error
}

// Piece is this file as a piece of a run that several machines recorded. clock is how far its machine's clock was ahead; see
// [Piece.Clock]. Closing the Reader is still the caller's.
func (r *Reader) Piece(clock time.Duration) Piece {
	return Piece{Name: r.path, Run: r.header.Run, Start: r.header.Start, Clock: clock, Events: r.Events(), Err: r.Err}
}

// Merged is one history made of several. It is for one goroutine at a time.
type Merged struct {
	pieces  []Piece
	offsets []int64 // what is added to the times of each
	clocks  bool    // they differ
	start   time.Time
	err     error
}

// Merge makes one history of those that several machines recorded of one run, so that it is judged as if one machine had seen
// everything. Two events that stand at the same time come in the order of the pieces; two whose machines' clocks differ by more
// than the time between them come in the wrong order, so what is judged by order and time is known as well as the clocks are.
//
// Each message, and each thing that is counted, must be in one of the pieces only. What tells of no message should be, too: a
// fault that two tell of is two faults. The merged history has an End if all pieces have: a piece without one was cut off.
//
// Merge reads nothing. It refuses no pieces at all or more than 256, pieces of different runs as far as Run tells, and a Start that
// only some of them have.
func Merge(pieces ...Piece) (*Merged, error) {
	if len(pieces) == 0 || len(pieces) > maxPieces {
		return nil, fmt.Errorf("history: merge: %d pieces; from 1 to %d can be merged", len(pieces), maxPieces)
	}
	m := &Merged{pieces: pieces}
	first := pieces[0]
	for _, p := range pieces {
		switch {
		case p.Events == nil:
			return nil, fmt.Errorf("history: merge: piece %s has no events", p.Name)
		case p.Start.IsZero() != first.Start.IsZero():
			return nil, fmt.Errorf("history: merge: of %s and %s, one tells when its times begin and the other does not", first.Name, p.Name)
		}
		if first.Run == 0 {
			first.Run, first.Name = p.Run, p.Name
		}
		if err := sameRun(first.Name, first.Run, p.Name, p.Run); err != nil {
			return nil, err
		}
		m.clocks = m.clocks || p.Clock != first.Clock
	}
	if err := m.align(); err != nil {
		return nil, err
	}
	return m, nil
}

// align finds what must be added to the times of each.
func (m *Merged) align() error {
	pieces, least := m.pieces, 0
	for i, p := range pieces {
		m.offsets = append(m.offsets, int64(p.Start.Sub(pieces[0].Start)-p.Clock))
		if m.offsets[i] < m.offsets[least] {
			least = i
		}
	}
	base := m.offsets[least]
	for i, p := range pieces {
		if m.offsets[i] -= base; m.offsets[i] < 0 || m.offsets[i] > int64(mostApart) {
			return fmt.Errorf("history: merge: %s begins %v after %s: they are not of one run, or their machines' clocks are wrong, "+
				"see Clock", p.Name, time.Duration(m.offsets[i]), pieces[least].Name)
		}
	}
	if m.start = pieces[least].Start; !m.start.IsZero() {
		m.start = m.start.Add(-pieces[least].Clock)
	}
	return nil
}

// sameRun is an error if two pieces are of different runs. 0: it is not known.
func sameRun(a string, run uint32, b string, other uint32) error {
	if run == 0 || other == 0 || run == other {
		return nil
	}
	return fmt.Errorf("history: merge: %s is of run %d and %s is of run %d: merge the histories of one run", a, run, b, other)
}

// Start is the origin of the merged times: the beginning of the piece that began first. Zero: no piece tells when it began.
func (m *Merged) Start() time.Time { return m.start }

// Err returns what ended the last pass over Events early, or nil. With an error, the events that came are true, and there
// were more.
func (m *Merged) Err() error { return m.err }

// Events returns the events of all pieces in the order of their times, which are those since Start. Each loop over them is a new
// pass over the pieces, of which it keeps one event each; afterwards Err tells how it went.
//
// A pass ends early where a piece cannot be read, where a piece is of another run than the others, and where two pieces tell of sends
// on the same track: then two producers have the same number, and nobody can tell their messages apart.
//
// Where the clocks differ, deliveries do not tell when their message was meant to be sent: that is a time of the sender's clock,
// and its own piece tells it.
func (m *Merged) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		m.err = nil
		p := pass{merged: m, senders: make(map[queue.Track]int)}
		defer p.stop()
		if m.err = p.begin(); m.err != nil {
			return
		}
		var end Event
		for {
			h := p.earliest()
			if h == nil {
				break
			}
			e := h.event
			if m.err = p.check(h, &e); m.err != nil {
				return
			}
			if m.err = p.advance(h); m.err != nil {
				return
			}
			if e.Kind == End && !h.more { // the last one is that of all
				p.ends++
				end = e
				continue
			}
			if !yield(e) {
				return
			}
		}
		if p.ends == len(m.pieces) {
			yield(end)
		}
	}
}

// pass is one loop over the pieces.
type pass struct {
	merged  *Merged
	heads   []*head
	ends    int // pieces whose last event was their End
	named   string
	run     uint32              // of all pieces, as far as it is known
	senders map[queue.Track]int // the piece that tells of a track's sends
	last    queue.Track
	lastIs  int
}

// head is the next event of a piece.
type head struct {
	number int
	piece  *Piece
	offset int64
	next   func() (Event, bool)
	stop   func()
	event  Event
	more   bool
	run    uint32
}

func (p *pass) begin() error {
	p.last, p.lastIs = queue.Track{}, -1
	for i := range p.merged.pieces {
		piece := &p.merged.pieces[i]
		h := &head{number: i, piece: piece, offset: p.merged.offsets[i], run: piece.Run}
		h.next, h.stop = iter.Pull(piece.Events)
		p.heads = append(p.heads, h)
		if p.run == 0 {
			p.run, p.named = piece.Run, piece.Name
		}
		if err := p.advance(h); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) stop() {
	for _, h := range p.heads {
		h.stop()
	}
}

// advance reads the next event of a piece.
func (p *pass) advance(h *head) error {
	h.event, h.more = h.next()
	if !h.more {
		if h.piece.Err == nil {
			return nil
		}
		if err := h.piece.Err(); err != nil {
			return fmt.Errorf("history: merge: %s ended early: %w", cmp.Or(h.piece.Name, "a piece"), err)
		}
		return nil
	}
	e := &h.event
	e.At = later(e.At, h.offset)
	switch {
	case e.Intended == 0:
	case e.Kind == Deliver && p.merged.clocks:
		e.Intended = 0
	default:
		e.Intended = later(e.Intended, h.offset)
	}
	return nil
}

// later is a time that is moved, as far as times go.
func later(at, by int64) int64 {
	if at > math.MaxInt64-by {
		return math.MaxInt64
	}
	return at + by
}

// earliest is the piece whose next event comes next; nil: there is none.
func (p *pass) earliest() *head {
	var first *head
	for _, h := range p.heads {
		if h.more && (first == nil || h.event.At < first.event.At) {
			first = h
		}
	}
	return first
}

// check sees that an event is of the same run as those of other pieces, and that one piece tells of its track's sends.
func (p *pass) check(h *head, e *Event) error {
	switch e.Kind {
	case Invoke, Outcome, Reserve:
	case Deliver:
		if e.Damage == CorruptEnvelope || e.Damage == Foreign {
			return nil
		}
	default:
		return nil
	}
	if h.run == 0 {
		h.run = e.Identity.Run
		if p.run == 0 {
			p.run, p.named = h.run, h.piece.Name
		}
		if err := sameRun(p.named, p.run, h.piece.Name, h.run); err != nil {
			return err
		}
	}
	if e.Kind != Invoke || e.Name != "" {
		return nil
	}
	return p.sent(h, e.Identity.Track())
}

// sent notes who tells of a track's sends.
func (p *pass) sent(h *head, s queue.Track) error {
	by, known := p.lastIs, p.lastIs >= 0 && p.last == s
	if !known {
		by, known = p.senders[s]
	}
	switch {
	case known && by != h.number:
		return fmt.Errorf("history: merge: %s and %s both tell of sends by producer %d, epoch %d, on stream %d: two producers had the "+
			"same number, and their messages cannot be told apart; give each its own, or judge the histories apart",
			p.merged.pieces[by].Name, h.piece.Name, s.Producer, s.Epoch, s.Stream)
	case !known && len(p.senders) < maxTracks:
		p.senders[s] = h.number
		by, known = h.number, true
	}
	if known {
		p.last, p.lastIs = s, by
	}
	return nil
}
