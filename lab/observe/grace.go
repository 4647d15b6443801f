package observe

import (
	"fmt"
	"time"
)

// graceFactor is how many times as long as the slowest work the grace must be to say that what is missing will not come.
const graceFactor = 2

// byGrace says of each group why the grace alone does not prove that what is missing there will not come.
func (o *Observer) byGrace(d Drained) map[string]string {
	doubts := map[string]string{}
	if !d.Proven || o.cfg.Group != "" {
		return doubts
	}
	b := o.book
	b.mu.Lock()
	defer b.mu.Unlock()
	for group, t := range b.done {
		if why := b.slow(group, t); why != "" && !t.optional {
			doubts[group] = why
		}
	}
	return doubts
}

// slow says why what is missing in a group may still be under way; "": nothing is, or the grace is a proof. The caller holds the lock.
func (b *book) slow(group string, t *tally) string {
	var missing, behind int // behind the last that was processed
	var last uint64
	for seq := range t.processed {
		if _, sent := b.when[seq]; sent {
			last = max(last, seq)
		}
	}
	for seq := range b.when {
		if _, done := t.processed[seq]; done {
			continue
		}
		missing++
		if seq >= last {
			behind++
		}
	}
	grace := b.cfg.Grace
	switch {
	case missing == 0:
		return ""
	case missing == behind && !t.beyond:
		return fmt.Sprintf("nothing new was seen for the grace of %s, but %d messages are missing in %s, and nothing behind the first of them was "+
			"processed: your application may stand still or only be slow; name its consumer in observe.group, which the broker knows",
			grace, missing, group)
	case grace < graceFactor*b.took:
		return fmt.Sprintf("nothing new was seen for the grace of %s, but %d messages are missing in %s, and another one took %s until it was seen "+
			"to be processed: name your application's consumer in observe.group, or write observe.grace: %s or more",
			grace, missing, group, b.took.Round(time.Millisecond), roundUp(graceFactor*b.took))
	}
	return ""
}

func roundUp(d time.Duration) time.Duration { return (d + time.Second - 1).Truncate(time.Second) }
