//go:build linux

package cluster_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/cluster"
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

// owner runs this test binary as a small havoq with a cluster, and returns it, its children, and its nodes' addresses.
func owner(t *testing.T, pause bool) (*exec.Cmd, []int, []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), roleEnv+"=owner", "CLUSTER_TEST_DIR="+t.TempDir())
	if pause {
		cmd.Env = append(cmd.Env, "CLUSTER_TEST_PAUSE=1")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does for its jobs
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	life, err := cmd.StdinPipe() // closed by its Wait, or by the end of this process
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { life.Close() })
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
	line, err := bufio.NewReader(out).ReadString('\n')
	addrs, ok := strings.CutPrefix(strings.TrimSpace(line), "nats://")
	if err != nil || !ok {
		t.Fatalf("owner: %q %v, %s", line, err, stderr.String())
	}
	children := childrenOf(t, cmd.Process.Pid, "havoq-")
	if len(children) != 4 {
		t.Fatalf("owner has children %v, not three nodes and a keeper", children)
	}
	return cmd, children, strings.Split(addrs, ",")
}

// end waits for the owner's end, with a limit.
func end(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	if !late.Stop() {
		t.Fatal("the owner did not end")
	}
}

// greets says whether a node greets a client.
func greets(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	word, err := bufio.NewReader(conn).ReadString(' ')
	return err == nil && word == "INFO "
}

func TestNoOrphans(t *testing.T) {
	for _, paused := range []bool{false, true} {
		t.Run(fmt.Sprintf("paused=%t", paused), func(t *testing.T) {
			cmd, children, _ := owner(t, paused)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			end(t, cmd)
			eventually(t, 10*time.Second, fmt.Sprintf("the end of all of %v", children), func() bool { return !slices.ContainsFunc(children, there) })
		})
	}
}

// Ctrl-C in a terminal signals the whole process group of the foreground job: the owner gets it, its nodes must not.
func TestInterruptDoesNotReachNodes(t *testing.T) {
	cmd, children, addrs := owner(t, false)
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
	for _, addr := range addrs {
		if !greets(addr) {
			t.Errorf("the node at %s serves no more", addr)
		}
	}
	for _, child := range children {
		if !there(child) {
			t.Errorf("child %d is gone", child)
		}
	}
	if err := syscall.Kill(cmd.Process.Pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	end(t, cmd)
	eventually(t, 10*time.Second, "the end of all children", func() bool { return !slices.ContainsFunc(children, there) })
}

func TestKeeperReplaced(t *testing.T) {
	c := start(t, cluster.Config{})
	keeper := childrenOf(t, os.Getpid(), "havoq-keeper")
	if len(keeper) != 1 {
		t.Fatalf("keepers %v", keeper)
	}
	if err := syscall.Kill(keeper[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the keeper's end", func() bool { return len(childrenOf(t, os.Getpid(), "havoq-keeper")) == 0 })
	must(t)(c.Pause(bounded(t, 30*time.Second), "n1"))
	if again := childrenOf(t, os.Getpid(), "havoq-keeper"); len(again) != 1 {
		t.Errorf("keepers %v before a node was paused", again)
	}
}
