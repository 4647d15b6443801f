package main

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

func TestAgain(t *testing.T) {
	for _, c := range []struct {
		arg  string
		f    runFlags
		want string
	}{
		{"early-ack", runFlags{}, "havoq run early-ack"},
		{"my runs/it's.yaml", runFlags{}, `havoq run 'my runs/it'\''s.yaml'`},
		{"a.yaml", runFlags{yes: true, set: map[string]string{"title": "a $HOME", "timing": "full"}}, "havoq run a.yaml --set timing=full --set 'title=a $HOME' --yes"},
	} {
		if got := again(c.arg, c.f); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestAccount(t *testing.T) {
	for want, res := range map[string]*result.Result{
		"the account closes":         {Groups: 1, Counts: oracle.Counts{Offered: 3, Acked: 2, Failed: 1, Processed: 1, Lost: 1}},
		"leaves 1,234 messages":      {Groups: 1, Counts: oracle.Counts{Offered: 1234, Acked: 1234, Unaccounted: 1234}},
		"THE ACCOUNT DOES NOT":       {Groups: 1, Counts: oracle.Counts{Offered: 3, Acked: 3, Processed: 2}},
		"THE ACCOUNT DOES NOT CLOSE": {Counts: oracle.Counts{Offered: 3, Acked: 2}},
	} {
		if got := account(res); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNext(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		res  result.Result
		want string
	}{
		{result.Result{Scenario: "primary-broker-failure", Verdict: oracle.Pass}, "early-ack"},
		{result.Result{Scenario: "primary-broker-failure", Verdict: oracle.Fail}, "report"},
		{result.Result{Scenario: "primary-broker-failure", Verdict: result.Aborted}, "what ended the run"},
		{result.Result{Scenario: "x", Verdict: oracle.Unknown}, "could not be known"},
		{result.Result{Scenario: "early-ack", Verdict: oracle.Fail, Expected: &yes}, "scenario list"},
		{result.Result{Scenario: "early-ack", Verdict: oracle.Pass, Expected: &no}, "report"},
	} {
		if got := next(&c.res); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %q, want %q", c.res.Scenario, c.res.Verdict, got, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""}, {"one two three", "one two\n three"}, {"  one\n two", "one two"}, {"averylongword x", "averylongword\n x"}, {"日本 語語", "日本\n 語語"},
	} {
		if got := wrap(c.text, 8, "\n "); got != c.want {
			t.Errorf("wrap(%q) is %q, want %q", c.text, got, c.want)
		}
	}
}

func TestClockAndNumber(t *testing.T) {
	if got := clock(754_960_000_000); got != "12:35.0" {
		t.Error(got)
	}
	if got := clock(59_990_000_000); got != "01:00.0" {
		t.Error(got)
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
