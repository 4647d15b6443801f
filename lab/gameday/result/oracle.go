package result

import (
	"iter"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
)

// consult has the oracle judge the history and test itself on it; end is the time of the last event.
func consult(in Input) (o oracle.Result, test oracle.SelfTest, end int64) {
	events := func() iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			for e := range in.Events() {
				end = max(end, e.At)
				if !yield(e) {
					return
				}
			}
		}
	}
	o, test = oracle.JudgeAndTest(oracle.Config{
		Contract: contract(in.Scenario.Contract), Witnesses: in.Witnesses, SettleTime: in.SettleTime, Memory: judgeMemory,
	}, events)
	return o, test, end
}

// judgeMemory keeps the last 1.6 million messages in full: of those, order and lateness are known however late they come.
const judgeMemory = 64 << 20

func contract(c scenario.Contract) oracle.Contract {
	return oracle.Contract{
		Delivery: oracle.Delivery(c.Delivery), Order: oracle.Order(c.Order), MaxDelay: time.Duration(c.MaxDelay),
		Allow: c.Allow, Forgive: c.Forgive,
	}
}
