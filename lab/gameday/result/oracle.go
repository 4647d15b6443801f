package result

import (
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
)

// consult has the oracle judge the history and test itself on it; end is the time of the last event.
func consult(in Input) (o oracle.Result, test oracle.SelfTest, end int64, err error) {
	for e := range in.Events() {
		end = max(end, e.At)
	}
	return oracle.Result{Verdict: oracle.Unknown, Reasons: []string{"no oracle"}}, test, end, nil
}

func contract(c scenario.Contract) oracle.Contract {
	return oracle.Contract{
		Delivery: oracle.Delivery(c.Delivery), Order: oracle.Order(c.Order), MaxDelay: duration(c.MaxDelay), Forgive: c.Forgive,
	}
}
