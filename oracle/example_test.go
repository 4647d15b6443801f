package oracle_test

import (
	"fmt"
	"iter"
	"slices"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// Two messages are sent and confirmed; only the first is ever worked on, and the broker proves that it holds no more.
func Example() {
	first, second := queue.Identity{Run: 1, Seq: 0}, queue.Identity{Run: 1, Seq: 1}
	events := []history.Event{
		{Kind: history.Invoke, At: 1, Identity: first}, {Kind: history.Outcome, At: 2, Identity: first, Outcome: queue.OK},
		{Kind: history.Invoke, At: 3, Identity: second}, {Kind: history.Outcome, At: 4, Identity: second, Outcome: queue.OK},
		{Kind: history.Deliver, At: 5, Identity: first, Group: "work"}, {Kind: history.Processed, At: 6, Identity: first, Group: "work"},
		{Kind: history.Drain, At: 7, Group: "work", Outcome: queue.OK},
		{Kind: history.End, At: 8},
	}
	again := func() iter.Seq[history.Event] { return slices.Values(events) }
	r := oracle.JudgeAll(oracle.Contract{Delivery: oracle.AtLeastOnce}, again)
	fmt.Println(r.Verdict, r.Reasons)
	// Output: fail [lost == 0: found 1 (1 tail; 1 unexplained)]
}
