package result_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

func TestPool(t *testing.T) {
	clean := judge(t, kill(), parse(t, "", ""))
	other := *clean
	other.Scenario = "other"
	runs := []*result.Result{&other}
	for range 20 {
		runs = append(runs, clean)
	}
	pools := result.Pool(runs, map[string]int{"kill": 20, "other": 1})
	if len(pools) != 1 || pools[0].Scenario != "kill" || pools[0].Runs != 20 {
		t.Fatalf("%+v", pools)
	}
	if diff := cmp.Diff(oracle.NewClaim(oracle.Lost, "kill", 0, 20), pools[0].Claims[0]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(oracle.NewClaim(oracle.Lost, oracle.PerMessage, 0, 20*550), pools[0].Claims[1]); diff != "" {
		t.Error(diff)
	}

	changed := *clean
	changed.Workload = "another"
	for _, c := range []struct {
		name    string
		runs    []*result.Result
		planned int
		why     string
	}{
		{"ended early", runs, 21, "20 of 21 runs were made, and to stop early is to choose"},
		{"not alike", slices.Concat(runs, []*result.Result{&changed}), 21, "the runs are not alike"},
		{"one without a claim", slices.Concat(runs, []*result.Result{judge(t, &tape{}, parse(t, "", ""))}), 21, "only 20 of 21 runs tell of it"},
	} {
		list := result.Pool(c.runs, map[string]int{"kill": c.planned})
		for _, got := range list[0].Claims {
			if !strings.HasPrefix(got.Unknown, c.why) {
				t.Errorf("%s: %+v", c.name, got)
			}
		}
		if len(list) != 1 || len(list[0].Claims) != len(clean.Claims) {
			t.Errorf("%s: %+v", c.name, list)
		}
	}
}
