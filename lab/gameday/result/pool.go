package result

import (
	"fmt"

	"github.com/havoqlab/havoq/oracle"
)

// Pooled is what several runs of one scenario say together.
type Pooled struct {
	Scenario string         `json:"scenario"`
	Runs     int            `json:"runs"`
	Claims   []oracle.Claim `json:"claims"` // as a Result's
}

// Pool adds up the claims of all scenarios that were to be run more than once, in the order of their first runs. planned is how
// many runs of each were to be made. Their number must have been fixed before the first: where fewer were made nothing is claimed,
// for whoever stops early has seen what came out so far.
func Pool(results []*Result, planned map[string]int) (list []Pooled) {
	at := map[string][]*Result{}
	var order []string
	for _, r := range results {
		if at[r.Scenario] == nil {
			order = append(order, r.Scenario)
		}
		at[r.Scenario] = append(at[r.Scenario], r)
	}
	for _, name := range order {
		if planned[name] < 2 {
			continue
		}
		p := Pooled{Scenario: name, Runs: len(at[name])}
		var runs [][]oracle.Claim
		for _, r := range at[name] {
			runs = append(runs, r.Claims)
		}
		p.Claims = oracle.PoolClaims(runs)
		if why := unpoolable(at[name], planned[name]); why != "" {
			for i, c := range p.Claims {
				p.Claims[i] = oracle.NoClaim(c.Anomaly, c.Unit, why)
			}
		}
		list = append(list, p)
	}
	return list
}

// unpoolable says why the runs cannot be added up; "" if they can.
func unpoolable(runs []*Result, planned int) string {
	if len(runs) != planned {
		return fmt.Sprintf("%d of %d runs were made, and to stop early is to choose", len(runs), planned)
	}
	first := runs[0]
	for _, r := range runs[1:] {
		if r.Workload != first.Workload || r.Contract != first.Contract || r.Environment.Target != first.Environment.Target {
			return "the runs are not alike: their load, contract or target differ"
		}
	}
	return ""
}
