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
	config := oracle.Config{Contract: contract(in.Scenario.Contract), Witnesses: in.Witnesses, SettleTime: in.SettleTime}
	if config.Witnesses == 0 && config.SettleTime == 0 {
		o, test = oracle.JudgeAndTest(config.Contract, events)
		return o, test, end
	}
	j := oracle.New(config)
	for e := range events() {
		j.Observe(&e)
	}
	o = j.Result()
	if len(o.Witnesses) > 0 {
		o.AddLives(events())
	}
	return o, oracle.RunSelfTest(config.Contract, events), end
}

func contract(c scenario.Contract) oracle.Contract {
	return oracle.Contract{
		Delivery: oracle.Delivery(c.Delivery), Order: oracle.Order(c.Order), MaxDelay: time.Duration(c.MaxDelay), Forgive: c.Forgive,
	}
}
