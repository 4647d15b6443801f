package main

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// An application of the user's own goes on sending while havoq waits, and nobody is told otherwise.
func TestWhatTheDrainWaitsFor(t *testing.T) {
	for want, external := range map[string][]scenario.App{
		"drain: no new messages; waiting until every one is processed":                 nil,
		"drain: judging what was sent until now; waiting until every one is processed": {},
	} {
		var text strings.Builder
		out := &plainOutput{w: &text}
		out.begin(&scenario.Scenario{Workload: scenario.Workload{External: external}})
		out.progress(gameday.Progress{Kind: gameday.Draining})
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q does not say %q", text.String(), want)
		}
	}
}
