package history

import "sync"

// BatchRecorder is a Recorder that takes many events at once, for less than one at a time.
type BatchRecorder interface {
	Recorder
	// RecordBatch records events as Record does, in their order. Those whose At is 0 get the same time. The slice is lent:
	// what is in it may be changed (a time filled in), and is not kept.
	RecordBatch(events []Event)
}

var (
	_ BatchRecorder = (*Writer)(nil)
	_ BatchRecorder = (*Memory)(nil)
	_ BatchRecorder = (*tee)(nil)
)

// RecordAll records events, at once if r is a BatchRecorder. The slice is lent, as in RecordBatch.
func RecordAll(r Recorder, events []Event) {
	if b, ok := r.(BatchRecorder); ok {
		b.RecordBatch(events)
		return
	}
	for i := range events {
		r.Record(events[i])
	}
}

// burstSize is how many events are handed over at once: few enough to stay in the processor's nearest cache.
const burstSize = 32

// burst collects the events of one call for RecordAll. Whoever takes one from bursts must give it back. None of its events has a Node.
type burst struct {
	recorder Recorder
	n        int
	events   [burstSize]Event
}

// next returns the next event, of this client and group, to be filled in before the following call: kind, time and identity must
// be, all else is zero.
func (b *burst) next(client, group string) *Event {
	if b.n == len(b.events) {
		b.flush()
	}
	e := &b.events[b.n]
	b.n++
	e.Outcome, e.Damage, e.Ack, e.Duplicate = 0, 0, false, false
	e.Back, e.Attempt, e.Partition = 0, 0, 0
	e.Intended, e.Offset, e.Claim, e.Value = 0, 0, 0, 0
	e.Client, e.Group = client, group
	if e.Name != "" || e.Detail != "" { // to see that they are empty costs less than to write a pointer
		e.Name, e.Detail = "", ""
	}
	return e
}

// flush records what was collected.
func (b *burst) flush() {
	RecordAll(b.recorder, b.events[:b.n])
	b.n = 0
}

// bursts keeps those that are not in use, so that no call has to make one.
type bursts struct {
	recorder Recorder
	free     sync.Pool
}

func (p *bursts) take() *burst {
	if b, ok := p.free.Get().(*burst); ok {
		return b
	}
	return &burst{recorder: p.recorder}
}

// record records what b has collected, and takes it back.
func (p *bursts) record(b *burst) {
	b.flush()
	p.free.Put(b)
}
