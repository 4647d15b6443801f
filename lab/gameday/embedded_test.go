//go:build linux

package gameday

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// realRun is a run on a real cluster, up to its target.
func realRun(t *testing.T, lim limits) *run {
	t.Helper()
	s, err := scenario.Parse("trial.yaml", []byte(calm+"phases: [ { baseline: 1s } ]\n"), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRun(Config{Scenario: s, Out: t.TempDir(), limits: lim})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.history.Close() })
	return r
}

// Whatever holds a node down, undo brings it up; and a node that is up is left alone.
func TestEmbeddedUndo(t *testing.T) {
	r := realRun(t, defaultLimits())
	if err := r.startTarget(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.closeTarget(context.Background()) }() // where the test ends early
	e := r.target.(*embedded)
	must := func(evidence string, err error) string {
		t.Helper()
		if err != nil || evidence == "" {
			t.Fatalf("%q, %v", evidence, err)
		}
		return evidence
	}
	for _, acts := range [][]string{{}, {"pause"}, {"pause", "kill"}, {"stop", "wipe"}} {
		for _, verb := range acts {
			must(e.act(t.Context(), verb, "n2"))
		}
		for range 2 { // two faults on it, two recoveries
			must(e.undo(t.Context(), "n2"))
			if s := e.states()["n2"]; s != "up" {
				t.Fatalf("after %v it is %s", acts, s)
			}
		}
	}
	// A start that was given up leaves a node that is starting.
	must(e.act(t.Context(), "kill", "n2"))
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	_, err := e.undo(short, "n2")
	cancel()
	if err == nil {
		t.Error("a node came back within a millisecond")
	}
	must(e.undo(t.Context(), "n2"))
	if s := e.states()["n2"]; s != "up" {
		t.Errorf("it is %s", s)
	}
	if _, err := e.act(t.Context(), "explode", "n1"); err == nil || !strings.Contains(err.Error(), "explode") {
		t.Errorf("explode: %v", err)
	}
	if err := r.closeTarget(t.Context()); err != nil {
		t.Error(err)
	}
}

// Two of three nodes do not get on: there is never a leader, and the error says so in the time it has.
func TestClusterThatNeverGetsALeader(t *testing.T) {
	lim := defaultLimits()
	lim.start = 5 * time.Second
	r := realRun(t, lim)
	late, cancel := context.WithTimeout(t.Context(), lim.start)
	defer cancel()
	stopped := make(chan int)
	go func() {
		pids := stopNodes(late, r.dir, "n2", "n3")
		<-late.Done()
		for _, pid := range pids { // so that they can be ended in good order, which is quicker
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		stopped <- len(pids)
	}()
	err := r.startTarget(t.Context())
	if n := <-stopped; n != 2 {
		t.Fatalf("%d nodes were stopped: the test proves nothing (%v)", n, err)
	}
	if err == nil {
		_ = r.closeTarget(t.Context())
		t.Fatal("a cluster of one")
	}
	for _, part := range []string{"start the embedded cluster", "not done within 5s", "logs are in "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
	if left := nodesOf(r.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// stopNodes sends SIGSTOP to these nodes of a run as soon as they are there.
func stopNodes(ctx context.Context, dir string, nodes ...string) []int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	seen := map[string]int{}
	for len(seen) < len(nodes) && ctx.Err() == nil {
		for pid, line := range nodesOf(dir) {
			for _, n := range nodes {
				if strings.Contains(line, " "+n+" ") && seen[n] == 0 && syscall.Kill(pid, syscall.SIGSTOP) == nil {
					seen[n] = pid
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return slices.Collect(maps.Values(seen))
}

// nodesOf are the command lines of the processes whose working folder is that of a run's nodes.
func nodesOf(dir string) map[int]string {
	found := map[int]string{}
	all, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, cwd := range all {
		at, err := os.Readlink(cwd)
		if err != nil || !strings.HasPrefix(at, dir) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(cwd), "cmdline"))
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(cwd))); err == nil && pid > 0 {
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}
