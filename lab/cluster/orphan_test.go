package cluster_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childrenOf returns the running processes with a parent and a word in their command line.
func childrenOf(t *testing.T, parent int, word string) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		command, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil || fields[0] == "Z" || fields[1] != strconv.Itoa(parent) || !strings.Contains(string(command), word) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, pid)
	}
	return found
}

// there says whether a process exists and is not a zombie that its new parent has not reaped yet.
func there(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))[0]
	return state != "Z" && state != "X"
}

// owner runs this test binary as a small havoq with a cluster, and returns it, its children, and its nodes' number.
func owner(t *testing.T, pause bool) (*exec.Cmd, []int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), roleEnv+"=owner", "CLUSTER_TEST_DIR="+t.TempDir())
	if pause {
		cmd.Env = append(cmd.Env, "CLUSTER_TEST_PAUSE=1")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does for its jobs
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var sizes map[string]int64
	if err := json.NewDecoder(io.LimitReader(out, 1<<16)).Decode(&sizes); err != nil || len(sizes) != 3 {
		t.Fatalf("owner: %v %v, %s", sizes, err, stderr.String())
	}
	children := childrenOf(t, cmd.Process.Pid, "havoq-")
	if len(children) != 4 {
		t.Fatalf("owner has children %v, not three nodes and a keeper", children)
	}
	return cmd, children
}

func TestNoOrphans(t *testing.T) {
	for _, paused := range []bool{false, true} {
		t.Run(fmt.Sprintf("paused=%t", paused), func(t *testing.T) {
			cmd, children := owner(t, paused)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			eventually(t, 10*time.Second, fmt.Sprintf("the end of all of %v", children), func() bool { return !slices.ContainsFunc(children, there) })
		})
	}
}

// Ctrl-C in a terminal signals the whole process group of the foreground job: the owner gets it, its nodes must not.
func TestInterruptDoesNotReachNodes(t *testing.T) {
	cmd, children := owner(t, false)
	for _, child := range children {
		group, err := syscall.Getpgid(child)
		if err != nil || group == cmd.Process.Pid {
			t.Errorf("child %d is in the owner's group (%v)", child, err)
		}
		if err := syscall.Kill(child, syscall.SIGINT); err != nil { // and even one sent to it directly does nothing
			t.Error(err)
		}
	}
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGSTOP); err != nil { // so that the owner's end does not end them
		t.Fatal(err)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	// The nodes still serve: each answers on its client port, after the signals, which were delivered before.
	for _, child := range children {
		if !there(child) {
			t.Errorf("child %d is gone", child)
		}
	}
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the owner takes no care of the signal and ends
	eventually(t, 10*time.Second, "the end of all children", func() bool { return !slices.ContainsFunc(children, there) })
}
