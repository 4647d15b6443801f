package report_test

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/report"
	"github.com/havoqlab/havoq/oracle"
)

// A producer that was cut off alone, and positions that a group skipped, are told; positions in order are not.
func TestProducersAndPositions(t *testing.T) {
	r := killRun()
	if page := render(t, report.HTML, r); strings.Contains(page, "Single producers") || strings.Contains(page, "<h3>Positions") {
		t.Error("tables of nothing")
	}
	r.Clients = []oracle.Outage{{Side: "produce", Client: "producer-2", Window: oracle.Window{From: sec(3), To: sec(5.5)}}}
	r.Positions = []oracle.Position{
		{Group: "workers", Partition: 3, First: 10, Last: 4000, Skipped: 12, Backward: 2},
		{Group: "quiet", Partition: 1, First: 1, Last: 9},
	}
	page := render(t, report.HTML, r)
	for _, want := range []string{"Single producers that got nothing through", "producer-2", "2.5s", "workers, partition 3", "4,000"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if strings.Contains(page, "quiet, partition 1") {
		t.Error("positions in order are told")
	}
}
