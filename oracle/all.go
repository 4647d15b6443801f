package oracle

import (
	"iter"

	"github.com/havoqlab/havoq/history"
)

// JudgeAll judges a whole history, and fills in the lives of the witnesses. It asks for the events once, and a second time if
// there are witnesses, so that its memory does not grow with what the witnesses went through. Both times they must be the same.
func JudgeAll(contract Contract, events func() iter.Seq[history.Event]) Result {
	j := New(Config{Contract: contract})
	for e := range events() {
		j.Observe(&e)
	}
	r := j.Result()
	if len(r.Witnesses) > 0 {
		r.AddLives(events())
	}
	return r
}
