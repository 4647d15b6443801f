package observe

import (
	"context"
	"time"

	"github.com/havoqlab/havoq/history"
)

// sampleEvery is how often the lag is recorded.
const sampleEvery = 250 * time.Millisecond

// Stats are the live counters.
type Stats struct {
	Input     int64 `json:"input"`     // messages that are judged
	Processed int64 `json:"processed"` // of these, that all groups are done with
	Work      int64 `json:"work"`      // what was done, in all groups, repetitions included
	Lag       int64 `json:"lag"`       // messages that a group is not done with
	Aside     int64 `json:"aside"`     // input messages that are not judged: of before the run, or behind the cut
	Late      int64 `json:"late"`      // of these, behind the cut
	Before    int64 `json:"before"`    // effects of messages that are not judged
	Held      int64 `json:"held"`      // effects whose input was not seen yet
}

// Stats returns the live counters.
func (o *Observer) Stats() Stats {
	b := o.book
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{
		Input: b.stats.input, Lag: b.lagLocked(), Aside: b.stats.early + b.stats.late, Late: b.stats.late,
		Before: b.stats.before, Held: int64(b.nHeld),
	}
	s.Processed = s.Input - s.Lag
	for _, t := range b.done {
		s.Work += t.work
	}
	return s
}

// lag is how many judged messages the group that is furthest behind is not done with. Groups that need not get each are left out.
func (b *book) lag() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lagLocked()
}

func (b *book) lagLocked() int64 {
	worst := int64(0)
	for _, t := range b.done {
		if !t.optional {
			worst = max(worst, b.stats.input-int64(len(t.processed)))
		}
	}
	return worst
}

// sample records the lag of each group, and once more at the end.
func (o *Observer) sample(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.recordLag()
		case <-ctx.Done():
			o.recordLag()
			return
		}
	}
}

func (o *Observer) recordLag() {
	o.cfg.Recorder.Record(history.Event{Kind: history.Sample, Name: "lag", Value: float64(o.book.lag())})
}
