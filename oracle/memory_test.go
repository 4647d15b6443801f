package oracle_test

import (
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// manyTracks is a run of n tracks that send in turn, each its messages with one key, consumed when so many more were sent.
func manyTracks(j *oracle.Judge, n, each, lag int) {
	at := int64(0)
	tell := func(e history.Event, i int) {
		at += 1000
		e.At, e.Identity = at, queue.Identity{Run: 1, Producer: uint32(i % n), Seq: uint64(i / n)}
		j.Observe(&e)
	}
	consume := func(i int) {
		tell(history.Event{Kind: history.Deliver, Group: "g"}, i)
		tell(history.Event{Kind: history.Processed, Group: "g"}, i)
		tell(history.Event{Kind: history.Settle, Group: "g", Ack: true, Outcome: queue.OK}, i)
	}
	for i := range n * each {
		invoke := history.Event{Kind: history.Invoke, Attempt: 1}
		if i >= n {
			invoke.Back = 1
		}
		tell(invoke, i)
		tell(history.Event{Kind: history.Outcome, Outcome: queue.OK}, i)
		if i >= lag {
			consume(i - lag)
		}
	}
	for i := n*each - lag; i < n*each; i++ {
		consume(i)
	}
	j.Observe(&history.Event{Kind: history.Drain, Group: "g", Outcome: queue.OK, At: at})
	j.Observe(&history.Event{Kind: history.End, At: at})
}

// However many tracks there are, what is still being written is not given up: the order of all is judged.
func TestManyTracksInOrder(t *testing.T) {
	for _, s := range []struct{ tracks, each, lag int }{{150, 50, 50}, {300, 30, 200}, {1000, 20, 200}} {
		j := oracle.New(oracle.Config{Contract: oracle.Contract{Order: oracle.OrderKey}})
		manyTracks(j, s.tracks, s.each, s.lag)
		r := j.Result()
		if r.Verdict != oracle.Pass || r.Counts.OrderedPairs < int64(s.tracks) {
			t.Errorf("%+v: %s %q, %d pairs", s, r.Verdict, r.Reasons, r.Counts.OrderedPairs)
		}
	}
}
