package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// What repeated runs say together is told in the story and in JSON alike.
func TestPooled(t *testing.T) {
	pools := []result.Pooled{
		{Scenario: "primary-broker-failure", Runs: 20, Claims: []oracle.Claim{oracle.NewClaim(oracle.Lost, "kill", 0, 20)}},
		{Scenario: "early-ack", Runs: 3, Claims: []oracle.Claim{oracle.NoClaim(oracle.Lost, "crash", "3 of 20 runs were made, and to stop early is to choose")}},
	}
	for _, kind := range []string{"plain", "live"} {
		out, got, _ := newTestOutput(t, kind)
		out.pooled(pools)
		for _, want := range []string{
			"\n20 runs of primary-broker-failure together\n  chance  0 of 20 kills lost anything: < 16.8 % of kills at 97.5 % (16 more clean ones for < 10 %, 348 for < 1 %)",
			"\n3 runs of early-ack together\n  chance  Nothing is claimed of the next time: 3 of 20 runs were made",
		} {
			if !strings.Contains(got.String(), want) {
				t.Errorf("%s: no %q in\n%s", kind, want, got)
			}
		}
		for line := range strings.Lines(got.String()) {
			if len(line) > 120 {
				t.Errorf("%s: %d columns: %s", kind, len(line), line)
			}
		}
	}
	out, got, _ := newTestOutput(t, "json")
	out.pooled(pools)
	var line jsonPooled
	if err := json.Unmarshal(got.Bytes(), &line); err != nil || line.Kind != "pooled" || len(line.Pooled) != 2 || line.Pooled[0].Claims[0].N != 20 {
		t.Errorf("%v: %s", err, got)
	}
}
