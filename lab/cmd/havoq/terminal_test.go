//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const asking = `
scenario: asking
title: A person must say yes
roles: { executor: "" }
target: { url: "memory://" }
workload: { producers: 1, consumers: 1, rate: 200/s, size: 64B }
contract: { delivery: at-least-once }
prerequisites: [ { confirm: the pager is off } ]
phases: [ { baseline: 200ms } ]
`

// terminal opens a pseudo-terminal: what a person types into the first comes out of the second.
func terminal(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return person, tty
}

// startAsking runs the scenario on a terminal and waits for its first question.
func startAsking(t *testing.T) (run *havoqRun, person *os.File, questions *bufio.Reader) {
	t.Helper()
	person, tty := terminal(t)
	r := prepare(t, asking, "asking.yaml")
	r.Stdin = tty
	r.Stderr = nil
	stderr, err := r.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.start(t)
	questions = bufio.NewReader(stderr)
	untilQuestion(t, questions, "Who is the executor? [nobody] ")
	return r, person, questions
}

func untilQuestion(t *testing.T, from *bufio.Reader, question string) {
	t.Helper()
	var said strings.Builder
	for !strings.HasSuffix(said.String(), question) {
		c, err := from.ReadByte()
		if err != nil {
			t.Fatalf("it said %q, and not %q", said.String(), question)
		}
		said.WriteByte(c)
	}
}

func TestAPersonIsAsked(t *testing.T) {
	r, person, questions := startAsking(t)
	fmt.Fprintln(person, "Ada")
	untilQuestion(t, questions, "Prerequisite: the pager is off. Does it hold? [y/N] ")
	fmt.Fprintln(person, "y")
	if code := r.wait(t); code != exitPass {
		t.Errorf("exit code %d", code)
	}
	report, err := os.ReadFile(filepath.Join(r.folder(t), "result.json"))
	if err != nil || !strings.Contains(string(report), `"executor": "Ada"`) {
		t.Errorf("the result does not name the executor (%v)", err)
	}
}

func TestAPersonSaysNo(t *testing.T) {
	r, person, questions := startAsking(t)
	fmt.Fprintln(person)
	untilQuestion(t, questions, "Does it hold? [y/N] ")
	fmt.Fprintln(person, "no")
	untilQuestion(t, questions, "was not confirmed")
	if code := r.wait(t); code != exitBadInput {
		t.Errorf("exit code %d", code)
	}
}

// Ctrl-C at a question ends the run, with what a person needs to know.
func TestCtrlCAtAQuestion(t *testing.T) {
	for _, second := range []bool{false, true} {
		t.Run(map[bool]string{false: "before the run", true: "in the run"}[second], func(t *testing.T) {
			r, person, questions := startAsking(t)
			if second {
				fmt.Fprintln(person, "Ada")
				untilQuestion(t, questions, "Does it hold? [y/N] ")
			}
			if err := syscall.Kill(-r.Process.Pid, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			untilQuestion(t, questions, "interrupted by a person")
			if code := r.wait(t); code != exitAborted {
				t.Errorf("exit code %d, want %d", code, exitAborted)
			}
		})
	}
}

// Ctrl-C while the cluster is being started: nothing is judged, and nothing is left.
func TestCtrlCInTheStart(t *testing.T) {
	r := prepare(t, smoke, "smoke.yaml")
	r.start(t)
	r.until(t, "folder") // the cluster is next
	folder := r.folder(t)
	if err := syscall.Kill(-r.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := r.wait(t); code != exitAborted {
		t.Errorf("exit code %d, want %d", code, exitAborted)
	}
	noOrphans(t, folder)
	if _, err := os.Stat(filepath.Join(folder, "result.json")); err == nil {
		t.Error("a verdict of a run that did not begin")
	}
}

// Ctrl-C ends a benchmark with what was measured so far, and without orphans or leftovers.
func TestCtrlCInBench(t *testing.T) {
	dir := t.TempDir()
	r := prepare(t, smoke, "smoke.yaml")
	r.Args = append(r.Args[:1], "bench", "memory://", "--for", "10s")
	r.Env = append(os.Environ(), "TMPDIR="+dir)
	r.Stderr = nil
	stderr, err := r.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.start(t)
	progress := bufio.NewReader(stderr)
	for range 4 { // beyond the warm-up, of which nothing is measured
		untilQuestion(t, progress, "received\n")
	}
	if err := syscall.Kill(-r.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	untilQuestion(t, progress, "interrupted by a person")
	r.until(t, "so far: ")
	if code := r.wait(t); code != exitAborted {
		t.Errorf("exit code %d, want %d", code, exitAborted)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
