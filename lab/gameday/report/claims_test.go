package report_test

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/report"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// The sentence leads with the fault, tells how little one run says, and claims nothing of what is not known.
func TestChance(t *testing.T) {
	got := strings.Join(report.Chances(killRun().Claims), "; ")
	want := "0 of 1 kills lost anything: < 97.5 % of kills at 97.5 % (35 more clean ones for < 10 %, 367 for < 1 %); " +
		"per message, given these faults: 0 of 24,316 that met one, < 1.5e-4"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, c := range []struct {
		claims []oracle.Claim
		want   string
	}{
		{nil, "Nothing is claimed of the next time: no fault was injected, or no promise was made."},
		{unknownRun().Claims, `Nothing is claimed of the next time: fault "pause leader" was never seen in force`},
		{lossRun().Claims, "nothing is claimed of how many wipes lost something: no fault explains 13 of them; " +
			"per message nothing is claimed: 8,214 came up"},
	} {
		if got := strings.Join(report.Chances(c.claims), "; "); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s\nwant\n%s", got, c.want)
		}
	}
	var many []oracle.Claim
	for range 10_000 {
		many = append(many, oracle.NewClaim(oracle.Lost, strings.Repeat("long ", 1000), 0, 1))
	}
	if n := len(strings.Join(report.Chances(many), "; ")); n > 10_000 {
		t.Errorf("a sentence of %d characters", n)
	}
}

// Both halves are in every report, each with its ground.
func TestHalves(t *testing.T) {
	r := lossRun()
	r.Reasons = append(r.Reasons, "something else")
	r.Liveness.Reasons = append(r.Liveness.Reasons, "something else")
	list := report.Summarize(r).Halves
	if len(list) != 2 || list[0].Name != "safety" || list[0].Verdict != oracle.Fail || list[0].How != "lost == 0: found 8,214 (13 unexplained)" {
		t.Fatalf("%+v", list)
	}
	if list[1].Name != "liveness" || list[1].Verdict != oracle.Unknown || !strings.HasSuffix(list[1].How, "when the run ended; and 1 more") {
		t.Errorf("%+v", list[1])
	}
	for range 20 {
		r.Safety.RestsOn = append(r.Safety.RestsOn, "x == 0")
	}
	r.Safety.Verdict = oracle.Pass
	if how := report.Summarize(r).Halves[0].How; !strings.HasSuffix(how, "x == 0, and 16 more checks") {
		t.Error(how)
	}
	page, md := render(t, report.HTML, r), render(t, report.Markdown, r)
	for _, name := range []string{"safety pass", "liveness unknown"} {
		if !strings.Contains(page, "</span> "+name+"</span>") {
			t.Errorf("the page has no %q", name)
		}
	}
	if !strings.Contains(md, "- ✓ **safety** pass: ") || !strings.Contains(md, "- ? **liveness** unknown: ") {
		t.Error(md)
	}
	if list := report.Summarize(&result.Result{}).Halves; list[0].Verdict == oracle.Pass || list[1].Verdict == oracle.Pass {
		t.Errorf("nothing is known, and %+v", list)
	}
}
