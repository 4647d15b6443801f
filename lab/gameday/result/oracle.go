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
	o, test = oracle.JudgeAndTest(contract(in.Scenario.Contract), func() iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			for e := range in.Events() {
				end = max(end, e.At)
				if !yield(e) {
					return
				}
			}
		}
	})
	return o, test, end
}

func contract(c scenario.Contract) oracle.Contract {
	return oracle.Contract{
		Delivery: oracle.Delivery(c.Delivery), Order: oracle.Order(c.Order), MaxDelay: time.Duration(c.MaxDelay), Forgive: c.Forgive,
	}
}
