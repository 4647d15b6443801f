package gameday

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

func TestAWholeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
phases:
  - baseline: 3s
  - inject: { kill: leader }
  - observe: { until: decided, max: 20s }
  - recover: all
  - load: { rate: 3x, for: 2s }
  - observe: 1s
criteria: [ "p99(latency.e2e, baseline) < 1s", "max(rate.sent, load) > 250/s" ]
`)
		began := time.Now()
		x.run(t)
		x.verdict(t, "pass")
		if took := time.Since(began); took < 8*time.Second || took > 11*time.Second {
			t.Errorf("it took %s: decided was not seen after some 2.5 s", took)
		}
		phases := names(x.events(t, history.Phase))
		if want := []string{"baseline", "inject", "observe", "recover", "load", "observe", "drain", ""}; cmp.Diff(want, phases) != "" {
			t.Errorf("phases %q", phases)
		}
		expectDone(t, x, "kill n1, up n1")
		var stages []string
		for _, e := range x.events(t, history.FaultBegin, history.FaultSeen, history.HealBegin, history.HealSeen) {
			stages = append(stages, e.Name+" "+e.Node)
		}
		if want := strings.Split(strings.Repeat("kill leader n1,", 3)+"kill leader n1", ","); cmp.Diff(want, stages) != "" {
			t.Errorf("stages %q", stages)
		}
		all := x.events(t, history.Phase, history.Node, history.HealSeen, history.Drain, history.Note, history.End)
		if ends := x.events(t, history.End); len(ends) != 1 || all[len(all)-1].Kind != history.End {
			t.Errorf("%d ends, and the last event is %+v", len(ends), all[len(all)-1])
		}
		if told := x.told(PhaseOn); len(told) != 6 || !strings.Contains(told[1], "kill -9 the leader") {
			t.Errorf("told %q", told)
		}
		leaders := x.told(Leader)
		if want := []string{"n1 leads orders", "n2 leads orders", "n1 leads orders"}; cmp.Diff(want, leaders) != "" {
			t.Errorf("leaders %q", leaders)
		}
	})
}

// The verdict is a function of the folder.
func TestVerifyComesToTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
roles: { executor: "", observer: Grace }
phases: [ { baseline: 1s }, { inject: { pause: n2, for: 500ms } }, { observe: 2s }, { recover: all } ]
`)
		x.cfg.Seed = 7
		x.cfg.Roles = map[string]string{"executor": "Ada"}
		x.run(t)
		x.verdict(t, "pass")
		again, err := Verify(x.dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(jsonOf(t, x.res), jsonOf(t, again)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]string{"executor": "Ada", "observer": "Grace"}, x.res.Roles); diff != "" {
			t.Error(diff)
		}
		file := filepath.Join(x.dir, result.ScenarioFile)
		if err := os.WriteFile(file, []byte(strings.Replace(readFile(t, x.dir, result.ScenarioFile), "baseline: 1s", "baseline: 2s", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(x.dir); err == nil || !strings.Contains(err.Error(), "not those that were run") {
			t.Errorf("an edited scenario: %v", err)
		}
		if x.res.Seed != 7 || x.res.Again != "havoq run trial.yaml --seed 7" {
			t.Errorf("seed %d, again %q", x.res.Seed, x.res.Again)
		}
	})
}

// What --set changed is part of the folder.
func TestVerifyKnowsWhatWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "phases: [ { baseline: 1s } ]\n")
		s := x.cfg.Scenario
		set, err := scenario.Parse(s.File, s.Source, scenario.Options{Set: map[string]string{"workload.rate": "50/s"}})
		if err != nil {
			t.Fatal(err)
		}
		x.cfg.Scenario = set
		x.run(t)
		x.verdict(t, "pass")
		again, err := Verify(x.dir)
		if err != nil || !strings.Contains(again.Workload, "50/s") || jsonOf(t, again) != jsonOf(t, x.res) {
			t.Errorf("%q, %v", again.Workload, err)
		}
	})
}

// A seed repeats what is sent; a run without one gets a new one.
func TestSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := func(seed uint64) (string, uint64) {
			x := newTrial(t, "phases: [ { baseline: 1s } ]\n")
			x.cfg.Seed = seed
			x.run(t)
			if x.err != nil {
				t.Fatal(x.err)
			}
			return jsonOf(t, x.res.Counts), x.res.Seed
		}
		_, one := keys(0)
		_, two := keys(0)
		if one == 0 || one == two {
			t.Errorf("drawn seeds %d and %d", one, two)
		}
		first, seed := keys(9)
		second, _ := keys(9)
		if seed != 9 || first != second {
			t.Errorf("seed %d: %s, and again %s", seed, first, second)
		}
	})
}

func TestLoadGoesBackToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
phases: [ { baseline: 1s }, { load: { rate: 10x, for: 10s } }, { observe: 2s } ]
`)
		x.run(t)
		x.verdict(t, "pass")
		if n := x.res.Counts.Offered; n < 10_200 || n > 10_500 {
			t.Errorf("%d offered, want about 10,300", n)
		}
	})
}

func TestLoadEndsWithAGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, `
phases: [ { baseline: 1s }, { load: { rate: 10x, for: 60s } } ]
guards: [ "max(rate.sent) < 500/s for 2s" ]
`)
		x.run(t)
		x.verdict(t, "aborted")
		if n := x.res.Counts.Offered; n > 8_000 {
			t.Errorf("%d offered: the load did not end with the guard", n)
		}
	})
}
