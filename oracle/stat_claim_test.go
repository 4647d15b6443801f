package oracle_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/oracle"
)

func TestClaimsInWords(t *testing.T) {
	for _, c := range []struct {
		anomaly, unit string
		k, n          int64
		text, outlook string
	}{
		{oracle.Lost, "kill", 0, 300, "0 of 300 kills lost anything: < 1.2 % of kills at 97.5 %", "68 more clean ones for < 1 %"},
		{oracle.Lost, "kill", 0, 20, "0 of 20 kills lost anything: < 16.8 % of kills at 97.5 %",
			"16 more clean ones for < 10 %, 348 for < 1 %"},
		{oracle.Lost, "kill", 0, 1, "0 of 1 kills lost anything: < 97.5 % of kills at 97.5 %",
			"35 more clean ones for < 10 %, 367 for < 1 %"},
		{oracle.Lost, "kill", 0, 368, "0 of 368 kills lost anything: < 1 % of kills at 97.5 %", ""},
		{oracle.Lost, "kill", 1, 1, "1 of 1 kills lost something: > 2.5 % of kills at 97.5 %", ""},
		{oracle.Lost, "pause", 2, 20, "2 of 20 pauses lost something: > 1.2 % and < 31.7 % of pauses, each at 97.5 %", ""},
		{oracle.Lost, oracle.PerMessage, 0, 12_345, "0 of 12,345 acked messages whose send overlapped a fault were lost: < 3.0e-4 at 97.5 %", ""},
		{oracle.Duplicated, "lose-reply", 0, 3_688, "0 of 3,688 lose-reply faults duplicated anything: < 0.10 % of lose-reply faults at 97.5 %", ""},
		{oracle.Unexpected, "", 0, 1_000_000, "0 of 1,000,000 faults led to anything unexpected: < 3.7e-6 of faults at 97.5 %", ""},
		{oracle.Lost, "application kill", 0, 1, "0 of 1 application kills lost anything: < 97.5 % of application kills at 97.5 %",
			"35 more clean ones for < 10 %, 367 for < 1 %"},
		{oracle.Late, "crash", 3, 3, "3 of 3 crashes made something late: > 29.2 % of crashes at 97.5 %", ""},
	} {
		got := oracle.NewClaim(c.anomaly, c.unit, c.k, c.n)
		if got.Text != c.text || got.Outlook != c.outlook {
			t.Errorf("%d of %d:\n%s\n%s\nwant\n%s\n%s", c.k, c.n, got.Text, got.Outlook, c.text, c.outlook)
		}
		if got.Unknown != "" || got.Confidence != oracle.Confidence || got.Upper != oracle.UpperBound(c.k, c.n, .975) ||
			got.Lower != oracle.LowerBound(c.k, c.n, .975) {
			t.Errorf("%+v", got)
		}
	}
}

// Where nothing was tried nothing is claimed, and that is no zero.
func TestNoClaim(t *testing.T) {
	for _, c := range []oracle.Claim{
		oracle.NewClaim(oracle.Lost, "kill", 0, 0), oracle.NewClaim(oracle.Lost, "kill", 2, 1), oracle.NewClaim(oracle.Lost, "kill", -1, 1),
		oracle.NoClaim(oracle.Lost, "kill", "the run was ended early"),
	} {
		if c.Unknown == "" || c.Upper != 1 || c.Lower != 0 || c.N != 0 || !strings.HasPrefix(c.Text, "nothing is claimed of how many kills lost something: ") {
			t.Errorf("%+v", c)
		}
	}
}

func TestPoolClaims(t *testing.T) {
	clean := func() []oracle.Claim {
		return []oracle.Claim{oracle.NewClaim(oracle.Lost, "kill", 0, 1), oracle.NewClaim(oracle.Lost, oracle.PerMessage, 0, 500)}
	}
	var runs [][]oracle.Claim
	for range 20 {
		runs = append(runs, clean())
	}
	want := []oracle.Claim{oracle.NewClaim(oracle.Lost, "kill", 0, 20), oracle.NewClaim(oracle.Lost, oracle.PerMessage, 0, 10_000)}
	if diff := cmp.Diff(want, oracle.PoolClaims(runs)); diff != "" {
		t.Error(diff)
	}
	runs[7][0] = oracle.NewClaim(oracle.Lost, "kill", 1, 1)
	if got := oracle.PoolClaims(runs)[0]; got.K != 1 || got.N != 20 {
		t.Errorf("%+v", got)
	}
	runs[3][0] = oracle.NoClaim(oracle.Lost, "kill", "it was not drained")
	if got := oracle.PoolClaims(runs); got[0].Unknown != "run 4: it was not drained" || got[1].Unknown != "" {
		t.Errorf("a run of which nothing is known: %+v", got)
	}
	runs[3] = runs[3][1:]
	if got := oracle.PoolClaims(runs); len(got) != 2 || !strings.Contains(got[0].Unknown, "only 19 of 20 runs") {
		t.Errorf("a run that does not tell of it: %+v", got)
	}
	if got := oracle.PoolClaims(nil); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// A text never says less than the bound by more than its last digit, and never is senseless.
func TestClaimTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1<<40).Draw(t, "n")
		k := rapid.Int64Range(0, min(n, 1000)).Draw(t, "k")
		unit := rapid.SampledFrom([]string{"kill", oracle.PerMessage, "", "odd"}).Draw(t, "unit")
		c := oracle.NewClaim(rapid.SampledFrom(oracle.Names()).Draw(t, "anomaly"), unit, k, n)
		if c.Unknown != "" || math.IsNaN(c.Upper) || strings.Contains(c.Text, "NaN") || strings.Contains(c.Text, "Inf") || len(c.Text) > 200 {
			t.Fatalf("%+v", c)
		}
	})
}
