package oracle_test

import (
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// ofMany is a judge who was told of the sends of n messages, of what came of them, or of both.
func ofMany(producer uint32, n uint64, sends, reads bool) *oracle.Judge {
	j := oracle.New(oracle.Config{})
	at := int64(0)
	tell := func(told bool, e history.Event) {
		if at++; told {
			e.At = at
			j.Observe(&e)
		}
	}
	for seq := range n {
		id := queue.Identity{Run: 9, Producer: producer, Seq: seq}
		tell(sends, history.Event{Kind: history.Invoke, Identity: id})
		tell(sends, history.Event{Kind: history.Outcome, Identity: id, Outcome: queue.OK})
		for _, k := range []history.Kind{history.Deliver, history.Processed, history.Settle} {
			tell(reads, history.Event{Kind: k, Identity: id, Group: "a", Ack: true, Outcome: queue.OK})
		}
	}
	return j
}

// BenchmarkMerge merges two judges of a million messages in all: two shards of them, and sends and deliveries apart.
func BenchmarkMerge(b *testing.B) {
	const n = 1_000_000
	parts := map[string]func() (a, o *oracle.Judge){
		"shards": func() (a, o *oracle.Judge) { return ofMany(1, n/2, true, true), ofMany(2, n/2, true, true) },
		"sides":  func() (a, o *oracle.Judge) { return ofMany(1, n, true, false), ofMany(1, n, false, true) },
	}
	for _, name := range []string{"shards", "sides"} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				j, o := parts[name]()
				b.StartTimer()
				if err := j.Merge(o); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if c := j.Result().Counts; c.Acked != n || c.Processed != n {
					b.Fatalf("%+v", c)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/msg")
		})
	}
}
