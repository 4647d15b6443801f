//go:build unix

package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/gameday"
)

// smoke is a small real run: three nodes, a follower killed.
const smoke = `
scenario: smoke
title: A follower dies
hypothesis: Nobody notices.
target: { cluster: { embedded: nats, nodes: 3 } }
workload: { producers: 1, consumers: 1, rate: 200/s, size: 128B, keys: 4 }
contract: { delivery: at-least-once }
phases:
  - baseline: 1s
  - inject: { pause: follower }
  - observe: 60s
  - recover: all
criteria: [ "p99(latency.e2e) < 30s" ]
`

// havoqRun is a `havoq run` in its own process, as a user has it.
type havoqRun struct {
	*exec.Cmd
	out   string // the --out folder
	lines *bufio.Scanner
}

func startSmoke(t *testing.T) *havoqRun {
	t.Helper()
	r := prepare(t, smoke, "smoke.yaml")
	r.start(t)
	return r
}

// prepare makes the command that runs a scenario, without starting it.
func prepare(t *testing.T, source, name string) *havoqRun {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "havoq")
	if self, err := os.Executable(); err != nil || os.Symlink(self, binary) != nil {
		t.Fatal("link the test binary: ", err)
	}
	out := filepath.Join(dir, "runs")
	cmd := exec.Command(binary, "run", file, "--output", "plain", "--out", out)
	cmd.Stderr = os.Stderr
	// A process group of its own, so that the test can press Ctrl-C as a terminal does: to the whole group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &havoqRun{Cmd: cmd, out: out}
}

func (r *havoqRun) start(t *testing.T) {
	t.Helper()
	stdout, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Process.Kill() })
	r.lines = bufio.NewScanner(stdout)
}

// until reads the story up to a line with this text.
func (r *havoqRun) until(t *testing.T, text string) {
	t.Helper()
	for r.lines.Scan() {
		if strings.Contains(r.lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the output ended without %q", text)
}

func (r *havoqRun) wait(t *testing.T) int {
	t.Helper()
	for r.lines.Scan() { // to the end, so that the process is not held up by a full pipe
		t.Log(r.lines.Text())
	}
	err := r.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

// folder is the one run folder.
func (r *havoqRun) folder(t *testing.T) string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(r.out, "*-*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("run folders: %v %v", dirs, err)
	}
	return dirs[0]
}

// noOrphans waits until no process holds a file of the run's folder in its command line or working files.
func noOrphans(t *testing.T, folder string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		left := processesOf(folder)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes left behind: %v", left)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// processesOf lists processes that hold something below folder open (Linux).
func processesOf(folder string) []int {
	entries, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	seen := map[int]bool{}
	for _, fd := range entries {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, folder) {
			pid, _ := strconv.Atoi(strings.Split(fd, "/")[2])
			seen[pid] = true
		}
	}
	delete(seen, os.Getpid())
	var pids []int
	for pid := range seen {
		pids = append(pids, pid)
	}
	return pids
}

func TestCtrlCRecoversAndReports(t *testing.T) {
	r := startSmoke(t)
	r.until(t, "observe")
	folder := r.folder(t)
	if len(processesOf(folder)) < 3 {
		t.Fatal("the nodes are not found: the test would prove nothing")
	}
	if err := syscall.Kill(-r.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := r.wait(t); code != exitAborted {
		t.Errorf("exit code %d, want %d", code, exitAborted)
	}
	noOrphans(t, folder)
	for _, file := range []string{"result.json", "report.html", "report.md", "junit.xml"} {
		if _, err := os.Stat(filepath.Join(folder, file)); err != nil {
			t.Errorf("no %s after Ctrl-C", file)
		}
	}
	b, _ := os.ReadFile(filepath.Join(folder, "result.json"))
	if !strings.Contains(string(b), `"verdict": "aborted"`) {
		t.Error("the verdict is not aborted")
	}
}

func TestCtrlCTwiceLeavesAtOnce(t *testing.T) {
	r := startSmoke(t)
	r.until(t, "observe")
	folder := r.folder(t)
	for _, seen := range []string{"aborted: interrupted by a person", ""} {
		if err := syscall.Kill(-r.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if seen != "" { // so that the first signal has been taken
			r.until(t, seen)
		}
	}
	for r.lines.Scan() {
		if strings.Contains(r.lines.Text(), "VERDICT") {
			t.Error("it stayed to give a verdict")
		}
	}
	if code := r.wait(t); code != exitAborted {
		t.Errorf("exit code %d, want %d", code, exitAborted)
	}
	noOrphans(t, folder)
}

func TestKilledRunLeavesNoOrphansAndCanBeVerified(t *testing.T) {
	r := startSmoke(t)
	r.until(t, "observe") // one node is paused now
	folder := r.folder(t)
	if err := r.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.wait(t)
	noOrphans(t, folder)
	res, err := gameday.Verify(folder)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != "unknown" {
		t.Errorf("verdict %s of a killed run, want unknown", res.Verdict)
	}
	if n := res.Anomalies["unexpected"].Total; n != 0 {
		t.Errorf("%d phantoms in a killed run", n)
	}
}
