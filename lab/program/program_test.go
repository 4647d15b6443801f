//go:build unix

package program_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/lab/program"
)

// asOwner has this test binary start a program, say so, and wait to be killed.
const asOwner = "HAVOQ_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asOwner); dir != "" {
		own(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func own(dir string) {
	if _, err := program.Start(program.Config{Name: "family", Argv: family(), Dir: dir}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("started")
	select {}
}

// family is a program with a child; both ignore polite requests, and write their numbers into files.
func family() []string {
	return []string{"sh", "-c", `trap "" TERM; sh -c 'trap "" TERM; echo $$ > child; while :; do sleep 1; done' & echo $$ > parent; while :; do sleep 1; done`}
}

// until polls for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// number reads a process number that a program writes.
func number(t *testing.T, file string) int {
	t.Helper()
	n := 0
	until(t, file, func() bool {
		text, err := os.ReadFile(file)
		if err == nil {
			n, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	})
	return n
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) }

// zombie reports a process that is dead, and that its parent has not asked about.
func zombie(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func start(t *testing.T, cfg program.Config) *program.Program {
	t.Helper()
	cfg.Name = "mine"
	p, err := program.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestKillTakesTheChildrenToo(t *testing.T) {
	dir := t.TempDir()
	p := start(t, program.Config{Argv: family(), Dir: dir})
	child, parent := number(t, filepath.Join(dir, "child")), number(t, filepath.Join(dir, "parent"))
	if parent != p.PID() {
		t.Errorf("it is process %d, and PID says %d", parent, p.PID())
	}
	if err := p.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the child", func() bool { return gone(child) })
	if err := p.Ended(); err != nil {
		t.Errorf("its end was asked for, and it says %v", err)
	}
	if err := p.Kill(t.Context()); err != nil {
		t.Errorf("killed twice: %v", err)
	}
}

func TestStop(t *testing.T) {
	dir := t.TempDir()
	polite := start(t, program.Config{Argv: []string{"sh", "-c", `trap "echo bye > bye; exit 0" TERM; echo $$ > up; while :; do sleep 0.05; done`}, Dir: dir})
	number(t, filepath.Join(dir, "up"))
	if killed, err := polite.Stop(t.Context(), 30*time.Second); killed || err != nil {
		t.Errorf("killed %v, %v", killed, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "bye")); err != nil {
		t.Errorf("it was not asked: %v", err)
	}
	stubborn := start(t, program.Config{Argv: family(), Dir: dir})
	child := number(t, filepath.Join(dir, "child"))
	if killed, err := stubborn.Stop(t.Context(), 20*time.Millisecond); !killed || err != nil {
		t.Errorf("killed %v, %v", killed, err)
	}
	until(t, "the end of the child", func() bool { return gone(child) })
}

// However the owner dies, nothing is left behind.
func TestAProgramDiesWithItsOwner(t *testing.T) {
	dir := t.TempDir()
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), asOwner+"="+dir)
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	child, parent := number(t, filepath.Join(dir, "child")), number(t, filepath.Join(dir, "parent"))
	if gone(child) || gone(parent) {
		t.Fatal("they are gone before their owner")
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	until(t, "the end of both", func() bool { return gone(child) && gone(parent) })
}

func TestAnEndOfItsOwn(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mine.log")
	p := start(t, program.Config{Argv: []string{"sh", "-c", "echo out of paper >&2; exit 7"}, Log: log})
	<-p.Done()
	if err := p.Ended(); err == nil || !strings.Contains(err.Error(), "mine: it has ended by itself (exit status 7); see "+log) {
		t.Errorf("it says %v", err)
	}
	if err := p.Kill(t.Context()); err != nil || p.Ended() == nil {
		t.Errorf("a kill afterwards: %v, and it says %v", err, p.Ended())
	}
	if text, err := os.ReadFile(log); err != nil || string(text) != "out of paper\n" {
		t.Errorf("the log has %q, %v", text, err)
	}
}

func TestEnvironmentAndLog(t *testing.T) {
	t.Setenv("HAVOQ_TEST_OUTER", "outer")
	log := filepath.Join(t.TempDir(), "mine.log")
	for range 2 {
		p := start(t, program.Config{Argv: []string{"sh", "-c", `echo $HAVOQ_TEST_OUTER $INNER`}, Env: []string{"INNER=inner"}, Log: log})
		<-p.Done()
	}
	if text, err := os.ReadFile(log); err != nil || string(text) != "outer inner\nouter inner\n" {
		t.Errorf("the log has %q, %v", text, err)
	}
	p := start(t, program.Config{Argv: []string{"sh", "-c", `i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done`}, Log: log, MaxLog: 100})
	<-p.Done()
	text, err := os.ReadFile(log)
	if err != nil || len(text) > 200 || !strings.Contains(string(text), "the log is full") {
		t.Errorf("the log has %d bytes, %v", len(text), err)
	}
	if err := p.Ended(); err == nil || !strings.Contains(err.Error(), "exit code 0") {
		t.Errorf("a full log ended it: %v", err)
	}
}

func TestWhatCannotBeStarted(t *testing.T) {
	for want, cfg := range map[string]program.Config{
		"no command":                {},
		"executable file not found": {Argv: []string{"no-such-program-of-mine"}},
		"open its log":              {Argv: []string{"true"}, Log: filepath.Join(t.TempDir(), "none", "log")},
		"no such file or directory": {Argv: []string{"true"}, Dir: filepath.Join(t.TempDir(), "none")},
	} {
		cfg.Name = "mine"
		if _, err := program.Start(cfg); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "start mine") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestOutput(t *testing.T) {
	run := func(most int, argv ...string) (string, error) {
		out, err := program.Output(t.Context(), program.Config{Name: "mine", Argv: argv}, most)
		return string(out), err
	}
	if out, err := run(10, "sh", "-c", "echo 123456789; echo more >&2"); err != nil || out != "123456789\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := run(9, "sh", "-c", "echo 123456789"); err == nil || !strings.Contains(err.Error(), "more than 9 bytes") {
		t.Errorf("too much: %v", err)
	}
	if _, err := run(9); err == nil {
		t.Error("no command is run")
	}
	if out, err := run(9, "sh", "-c", "sleep 300 & echo done"); err == nil { // it left something that holds its output
		t.Errorf("a child that was left behind: %q", out)
	}
}
