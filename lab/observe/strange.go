package observe

import "time"

// rowBefore stands for the position of an ID that is not judged because a listing had it when the run began.
const rowBefore = -1

// keptRow is a message whose ID had a row before the run.
type keptRow struct {
	at int64
	id string // shortened
}

// begin notes of a judged input message what a doubt may need of it at the end; the caller holds the lock.
func (b *book) begin(id string, seq uint64, at int64) {
	if b.stats.input == 0 {
		b.first = brief(id)
	}
	if b.when != nil {
		b.when[seq] = time.Now()
	}
	if b.aside[b.hash(id)] == rowBefore && len(b.kept) < maxAside {
		b.kept[seq] = keptRow{at, brief(id)}
	}
}

// strange notes an ID of a group that is of no input message, so far; the caller holds the lock.
func (b *book) strange(id string, s sight) {
	t := b.done[s.group]
	if t.unmatched++; t.unmatched == 1 {
		t.stranger = brief(id)
	}
}

// passedOver counts what came of an input message that is not judged; the caller holds the lock.
func (b *book) passedOver(s sight, at int64) {
	t := b.done[s.group]
	t.matched = true
	t.beyond = t.beyond || b.cut > 0 && at > b.cut
	b.stats.before++
}

// strange reports whether a group has shown IDs, and none of them was that of an input message: then it is likely that something
// else is read than the IDs of the input, and neither is all lost, nor is what is shown unexpected.
func (t *tally) strange() bool { return !t.matched && t.unmatched > 0 }

// doubtRows notes what the groups' own IDs do not tell; the caller holds the lock.
func (b *book) doubtRows() {
	for group, t := range b.done {
		if t.strange() {
			g := b.gap(group, group, stranger)
			g.n, g.why = t.unmatched, t.stranger
		}
	}
	if b.cfg.Effect == nil {
		return
	}
	group := b.cfg.Effect.Group
	first := keptRow{}
	for seq, k := range b.kept {
		if _, again := b.done[group].processed[seq]; again {
			continue
		}
		if first.at == 0 || k.at < first.at {
			first = k
		}
		g := b.gap(group, group, keptBefore)
		g.n++
		g.at, g.why = first.at, first.id
	}
}

// briefID is how much of an ID is shown to people.
const briefID = 40

func brief(id string) string {
	letters := []rune(id[:min(len(id), 4*briefID)])
	if len(letters) <= briefID {
		return string(letters)
	}
	return string(letters[:briefID]) + "…"
}
