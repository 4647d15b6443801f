package main

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// With several groups each message is expected more than once, and each source says what it missed.
func TestAccountOfSeveralGroups(t *testing.T) {
	res := &result.Result{
		Counts: oracle.Counts{Offered: 3750, Acked: 3750, Processed: 7473, Lost: 27},
		Sources: []result.Source{
			{Name: "topic orders", Messages: 3750},
			{Name: "topic invoices", Group: "topic invoices", Messages: 3723, Missing: 27},
			{Name: "table orders", Group: "table orders", Messages: 3750},
		},
	}
	var out strings.Builder
	printCounts(&out, res)
	for _, want := range []string{
		"acked 3,750, by all groups together 7,500 = processed 7,473 + dead-lettered 0 + queued 0 + lost 27",
		"topic orders         3,750 sent", "topic invoices       3,723 processed, 27 missing", "table orders         3,750 processed, 0 missing",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	out.Reset()
	printCounts(&out, &result.Result{Counts: oracle.Counts{Offered: 5, Acked: 5, Processed: 5}})
	if !strings.Contains(out.String(), "acked 5 = processed 5") {
		t.Error(out.String())
	}
}
