package result

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/oracle"
)

// What makes the judgement itself doubtful makes the verdict unknown, however well everything looks.
func TestDistrust(t *testing.T) {
	good := func() *Result {
		return &Result{
			Complete: true, Drained: true, Groups: 1, SelfTest: oracle.SelfTest{Planted: 8, Found: 8},
			Counts: oracle.Counts{Offered: 10, Acked: 8, Failed: 1, InDoubt: 1, Processed: 8},
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Result)
		want   string // in the only reason; empty: there is none
	}{
		{"nothing", func(*Result) {}, ""},
		{"a planted anomaly was missed", func(r *Result) { r.SelfTest.Found, r.SelfTest.Missed = 7, []string{"lost"} }, "only 7 of the 8"},
		{"nothing was planted", func(r *Result) { r.SelfTest = oracle.SelfTest{} }, "could not test itself"},
		{"sends do not add up", func(r *Result) { r.Counts.Failed = 2 }, "10 offered are not"},
		{"ends do not add up", func(r *Result) { r.Counts.Processed = 7 }, "8 acked are not"},
		{"ends of two groups are the oracle's business", func(r *Result) { r.Groups, r.Counts.Processed = 2, 16 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := good()
			c.change(r)
			verdict, reasons := conclude(r, oracle.Result{Verdict: oracle.Pass}, nil)
			if c.want == "" {
				if verdict != oracle.Pass || len(reasons) > 0 {
					t.Errorf("verdict %s, %q", verdict, reasons)
				}
				return
			}
			if verdict != oracle.Unknown || len(reasons) != 1 || !strings.Contains(reasons[0], c.want) {
				t.Errorf("verdict %s, %q", verdict, reasons)
			}
		})
	}
}
