package oracle_test

import (
	"fmt"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// Two judges, one of each producer's messages, come to what one would who was told everything.
func ExampleJudge_Merge() {
	var shards []*oracle.Judge
	for producer := range uint32(2) {
		j := oracle.New(oracle.Config{})
		for at, kind := range []history.Kind{history.Invoke, history.Outcome, history.Deliver, history.Processed, history.Drain, history.End} {
			e := history.Event{Kind: kind, At: int64(at), Identity: queue.Identity{Run: 1, Producer: producer}, Outcome: queue.OK}
			switch kind {
			case history.Invoke:
				e.Outcome = queue.Unknown
			case history.Deliver, history.Processed, history.Drain:
				e.Group = "billing"
			}
			if producer == 0 || kind != history.Processed { // the second producer's message was never worked on
				j.Observe(&e)
			}
		}
		shards = append(shards, j)
	}
	if err := shards[0].Merge(shards[1]); err != nil {
		fmt.Println(err)
	}
	r := shards[0].Result()
	fmt.Println(r.Counts.Acked, "acked,", r.Counts.Processed, "processed:", r.Verdict, r.Reasons)
	// Output: 2 acked, 1 processed: fail [lost == 0: found 1 (1 tail; 1 unexplained)]
}
