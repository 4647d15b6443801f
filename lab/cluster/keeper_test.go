//go:build linux || darwin

package cluster_test

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/cluster"
)

// sleeper is a paused process that nobody else would end.
func sleeper(t *testing.T) (pid int, began string, ended <-chan struct{}) {
	t.Helper()
	cmd := exec.Command("sleep", "300")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "a stopped process", func() bool { _, err := cluster.Stopped(cmd.Process.Pid); return err == nil })
	began, err := cluster.StartTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, began, done
}

func TestKeeperEndsPaused(t *testing.T) {
	pid, began, ended := sleeper(t)
	var said strings.Builder
	wards, err := cluster.TakeWards(strings.NewReader(fmt.Sprintf("%d %s\n", pid, began)), &said)
	if err != nil || len(wards) != 1 || said.String() != "kept\n" {
		t.Fatalf("%v %v %q", wards, err, said.String())
	}
	if err := cluster.EndWard(wards[0]); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("a paused process outlived the keeper's care")
	}
	if err := cluster.EndWard(wards[0]); err != nil {
		t.Errorf("the end of one that is gone: %v", err)
	}
}

func TestKeeperSparesAnotherWithTheSameNumber(t *testing.T) {
	pid, began, ended := sleeper(t)
	wards, err := cluster.TakeWards(strings.NewReader(fmt.Sprintf("%d %s1\n", pid, began)), io.Discard)
	if err != nil || len(wards) != 1 {
		t.Fatal(wards, err)
	}
	if err := cluster.EndWard(wards[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Stopped(pid); err != nil {
		t.Errorf("it did not stay as it was: %v", err)
	}
	select {
	case <-ended:
		t.Error("it was killed")
	default:
	}
}

func TestKeeperUnderstandsOnlyProcesses(t *testing.T) {
	for _, line := range []string{"x", "1 5", "0 5", "-4 5", "12"} {
		if wards, err := cluster.TakeWards(strings.NewReader(line+"\n"), io.Discard); err == nil {
			t.Errorf("%q: %v", line, wards)
		}
	}
}
