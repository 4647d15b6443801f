package observe

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// The bounds of what is remembered. Beyond one of them, what was not remembered is a Gap.
const (
	maxHeld  = 200_000   // effects whose input message was not seen yet
	maxAside = 2_000_000 // messages that are not judged
	maxOwn   = 4_000_000 // outputs' own IDs
)

// book knows which messages are judged and what came of them, and records it.
type book struct {
	cfg Config
	ids *history.IDs

	mu    sync.Mutex
	seed  maphash.Seed
	aside map[uint64]int64   // IDs that are not judged, by their hashes: the position of the input message, or rowBefore
	held  map[string][]sight // effects that came before their input, by ID
	nHeld int
	own   map[uint64]struct{}  // outputs' own IDs
	last  int64                // position of the last input message that was judged
	cut   int64                // position of the last one that is judged at all; 0: no cut yet
	older int64                // positions of the input, of before the run, that are not read
	first string               // the ID of the first input message that was judged, shortened
	when  map[uint64]time.Time // when each judged message was seen, by its sequence number; nil where Group ends the drain
	took  time.Duration        // the longest from there to its work
	kept  map[uint64]keptRow   // judged messages, by their sequence numbers, whose IDs had a row before the run
	done  map[string]*tally    // by group
	gaps  []*gap               // one for each kind of trouble
	stats counts
	news  time.Time // when something new was last seen
}

// sight is an effect that waits.
type sight struct {
	group string
	own   uint64 // hash of the output's own ID; 0: none
	old   bool   // it was there when the group was first looked at
}

// tally is what came to one group.
type tally struct {
	processed map[uint64]struct{} // sequence numbers
	work      int64
	optional  bool   // a message need not come here
	beyond    bool   // something of behind the cut was processed
	matched   bool   // one of its IDs was that of an input message, were it one that is not judged
	unmatched int64  // IDs that were of no input message when they came
	stranger  string // the first of them, shortened
}

type counts struct {
	input, early, late, before int64 // judged; of before the run; behind the cut; effects of messages that are not judged
}

func newBook(cfg Config, ids *history.IDs) *book {
	b := &book{
		cfg: cfg, ids: ids, seed: maphash.MakeSeed(), aside: map[uint64]int64{}, kept: map[uint64]keptRow{}, held: map[string][]sight{},
		own: map[uint64]struct{}{}, done: map[string]*tally{}, news: time.Now(),
	}
	if cfg.Group == "" {
		b.when = map[uint64]time.Time{}
	}
	if out := cfg.Output; out != nil {
		b.done[out.Group] = &tally{processed: map[uint64]struct{}{}, optional: out.Relation == Filtered}
	}
	if e := cfg.Effect; e != nil {
		b.done[e.Group] = &tally{processed: map[uint64]struct{}{}}
	}
	return b
}

func (b *book) hash(parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(b.seed)
	for _, p := range parts {
		_, _ = h.WriteString(p) // never fails
		_ = h.WriteByte(0)
	}
	return max(h.Sum64(), 1)
}

// sent takes a message of the input topic. judged: it is of this run.
func (b *book) sent(d *queue.Delivery, judged bool) {
	id, err := b.cfg.Input.ID.Of(&d.Message)
	b.mu.Lock()
	defer b.mu.Unlock()
	judged = judged && (b.cut == 0 || d.Offset <= b.cut)
	switch {
	case !judged && err != nil:
	case !judged:
		b.setAside(id, d.Offset)
	case err != nil:
		b.gap("", b.cfg.Input.Name, nameless).add(d.Offset, err.Error())
	default:
		b.judge(id, d)
	}
}

// setAside notes an input message that is not judged, and forgets what waits for it.
func (b *book) setAside(id string, at int64) {
	if b.cut > 0 && at > b.cut {
		b.stats.late++
	} else {
		b.stats.early++
	}
	if len(b.aside) >= maxAside {
		b.gap("", b.cfg.Input.Name, forgotten).add(at, "")
		return
	}
	b.aside[b.hash(id)] = at
	for _, s := range b.held[id] {
		b.passedOver(s, at)
	}
	b.unhold(id)
}

func (b *book) judge(id string, d *queue.Delivery) {
	seen, err := b.ids.Input(0, id)
	switch {
	case err != nil:
		b.gap("", b.cfg.Input.Name, tooMany).add(d.Offset, err.Error())
		return
	case seen.Again:
		b.gap("", b.cfg.Input.Name, repeated).add(d.Offset, "")
		return
	}
	b.begin(id, seen.Identity.Seq, d.Offset)
	b.stats.input++
	b.last = max(b.last, d.Offset)
	b.news = time.Now()
	b.cfg.Recorder.Record(history.Event{
		Kind: history.Invoke, Outcome: queue.OK, Identity: seen.Identity, Attempt: 1, Intended: b.since(d.Timestamp), Offset: d.Offset,
		Client: "topic " + b.cfg.Input.Name,
	})
	held := b.held[id]
	b.unhold(id)
	for _, s := range held {
		b.done[s.group].matched = true
		b.processed(id, s)
	}
}

// since is a time on the history's clock: not before its start, and not in the future, whatever the sender's clock says. Where
// it is not known, it is now.
func (b *book) since(t time.Time) int64 {
	now := int64(time.Since(b.cfg.Start))
	if t.IsZero() {
		return now
	}
	return min(max(int64(t.Sub(b.cfg.Start)), 1), now)
}

// came takes a message of the output topic.
func (b *book) came(d *queue.Delivery, judged bool) {
	if !judged {
		return
	}
	out := b.cfg.Output
	id, err := out.ID.Of(&d.Message)
	own, ownErr := "", error(nil)
	if out.Own != nil {
		own, ownErr = out.Own.Of(&d.Message)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil:
		b.gap(out.Group, out.Name, nameless).add(d.Offset, err.Error())
		return
	case ownErr != nil:
		b.gap(out.Group, out.Name, ownless).add(d.Offset, ownErr.Error())
		return
	}
	s := sight{group: out.Group}
	if out.Own != nil {
		s.own = b.hash(own)
	}
	b.effect(id, s)
}

// listed takes an ID of a listing. old: it was there when it was first listed, and that was not before the run began.
func (b *book) listed(group, id string, old bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id == "" {
		b.gap(group, group, nameless).add(0, "the listing has an empty one")
		return
	}
	b.effect(id, sight{group: group, old: old})
}

// open begins a group that was not announced before.
func (b *book) open(group string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done[group] = &tally{processed: map[uint64]struct{}{}}
}

// beforeRun takes an ID that was in a listing when the run began.
func (b *book) beforeRun(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.aside) < maxAside {
		b.aside[b.hash(id)] = rowBefore
	}
}

// effect records what came of a message, if that is judged, or keeps it until the message is seen.
func (b *book) effect(id string, s sight) {
	if _, known := b.ids.Lookup(0, id); known {
		b.done[s.group].matched = true
		b.processed(id, s)
		return
	}
	switch at, not := b.aside[b.hash(id)]; {
	case !not:
	case at == rowBefore:
		b.strange(id, s)
		b.stats.before++
		return
	default:
		b.passedOver(s, at)
		return
	}
	b.strange(id, s)
	if b.nHeld >= maxHeld {
		b.gap(s.group, s.group, waiting).add(0, "")
		return
	}
	b.nHeld++
	b.held[id] = append(b.held[id], s)
}

func (b *book) unhold(id string) {
	b.nHeld -= len(b.held[id])
	delete(b.held, id)
}

// processed records that the work was done, or done again.
func (b *book) processed(id string, s sight) {
	seen, err := b.ids.Output(0, id)
	if err != nil {
		b.gap(s.group, s.group, tooMany).add(0, err.Error())
		return
	}
	if at, known := b.when[seen.Identity.Seq]; known {
		b.took = max(b.took, time.Since(at))
	}
	t := b.done[s.group]
	_, again := t.processed[seen.Identity.Seq]
	b.news = time.Now()
	if b.further(s, again) {
		return
	}
	t.processed[seen.Identity.Seq] = struct{}{}
	t.work++
	b.cfg.Recorder.Record(history.Event{Kind: history.Processed, Identity: seen.Identity, Group: s.group, Client: s.group})
}

// further reports whether an output is only a further one of its input, which is no work of its own. One whose own ID is known is
// the same one again.
func (b *book) further(s sight, again bool) bool {
	out := b.cfg.Output
	if out == nil || out.Group != s.group || out.Relation != OneToMany {
		return false
	}
	if s.own == 0 {
		return again
	}
	if _, repeated := b.own[s.own]; repeated {
		return false
	}
	if len(b.own) >= maxOwn {
		b.gap(s.group, s.group, forgotten).add(0, "")
	} else {
		b.own[s.own] = struct{}{}
	}
	return again
}

// setCut ends what is judged at this position of the input, or behind what was judged while it was asked for.
func (b *book) setCut(position int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = max(position, b.last, 1)
}

// release records what waits still: work on messages that were never sent, if all that were sent were seen.
func (b *book) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]string, 0, len(b.held))
	for id := range b.held {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	b.doubtRows()
	unseen := b.unseen()
	for _, id := range ids {
		for _, s := range b.held[id] {
			switch {
			case s.old: // somebody did it before
				b.stats.before++
			case b.done[s.group].strange(): // a doubt of all of them
			case unseen:
				b.gap(s.group, s.group, orphaned).add(0, "")
			default:
				b.processed(id, s)
			}
		}
	}
	clear(b.held)
	b.nHeld = 0
}
