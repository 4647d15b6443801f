package main

import (
	"errors"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

func asExit(err error, target *interface{ ExitCode() int }) bool { return errors.As(err, target) }

func TestExitCodes(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		verdict  oracle.Verdict
		expected *bool
		want     int
	}{
		{oracle.Pass, nil, 0}, {oracle.Fail, nil, 1}, {oracle.Unknown, nil, 3}, {result.Aborted, nil, 4},
		{oracle.Fail, &yes, 0}, {oracle.Fail, &no, 1}, {oracle.Pass, &no, 1}, {oracle.Unknown, &no, 3}, {result.Aborted, &no, 4},
		{"", nil, 3},
	} {
		if got := exitCodeOf(&result.Result{Verdict: c.verdict, Expected: c.expected}); got != c.want {
			t.Errorf("verdict %q, expected %v: exit code %d, want %d", c.verdict, c.expected, got, c.want)
		}
	}
}

func TestWorstCodeCounts(t *testing.T) {
	order := []int{exitPass, exitUnknown, exitFail, exitAborted, exitBadInput, exitInternal}
	for i := 1; i < len(order); i++ {
		if severity(order[i]) <= severity(order[i-1]) {
			t.Errorf("exit code %d must be worse than %d", order[i], order[i-1])
		}
	}
}
