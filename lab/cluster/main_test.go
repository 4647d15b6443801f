package cluster_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/lab/cluster"
)

// The test binary is also the executables that the tests need, as the variable says.
const roleEnv = "CLUSTER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "no-main": // an executable that does not call Main: its node is this test binary again
	case "no-main-start": // one that starts a cluster again in its node
		_, err := cluster.Start(context.Background(), cluster.Config{Dir: os.Getenv("CLUSTER_TEST_DIR")})
		_ = os.WriteFile(os.Getenv("CLUSTER_TEST_DIR")+"/child-error", fmt.Append(nil, err), 0o644)
		os.Exit(1)
	case "silent": // one that neither becomes a node nor ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	case "owner":
		cluster.Main()
		own()
	default:
		cluster.Main()
	}
	goleak.VerifyTestMain(m)
}

// own is a small havoq: it starts a cluster with one node paused, tells its address, and waits to be killed or interrupted.
func own() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Config{Dir: os.Getenv("CLUSTER_TEST_DIR")})
	if err == nil && os.Getenv("CLUSTER_TEST_PAUSE") != "" {
		_, err = c.Pause(ctx, "n2")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt) // also where this was started with the signal ignored, as by a shell's "&"
	fmt.Println(c.URL())
	go func() { // the test's own end is seen here, too
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	<-interrupts
	os.Exit(130)
}

// bounded is the test's context with a limit.
func bounded(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition, with a limit.
func eventually(t *testing.T, limit time.Duration, what string, look func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(limit); ; {
		if look() {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// states records OnState.
type states struct {
	mu  sync.Mutex
	all []string
}

func (s *states) on(node string, state cluster.State, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprintf("%s %s %s", node, state, detail))
}

func (s *states) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.all...)
}

// start forms a cluster that is closed at the end of the test.
func start(t *testing.T, cfg cluster.Config) *cluster.Cluster {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	c, err := cluster.Start(bounded(t, time.Minute), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error("close:", err)
		}
	})
	return c
}

// must returns the evidence of an act and logs it.
func must(t *testing.T) func(evidence string, err error) string {
	return func(evidence string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if evidence == "" {
			t.Fatal("no evidence")
		}
		t.Log(evidence)
		return evidence
	}
}
