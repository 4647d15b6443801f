//go:build unix

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Ctrl-C ends what reads from a pipe that says nothing more, and leaves neither a half-made file nor a temporary one.
func TestCtrlCWhileReadingLines(t *testing.T) {
	for _, args := range [][]string{{"history", "load", "-", "new.havoq"}, {"verify", "-"}, {"history", "dump", "-", "--out", "new.jsonl"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			dir := t.TempDir()
			r := prepare(t, smoke, "smoke.yaml")
			r.Args = append(r.Args[:1], args...)
			r.Dir = dir
			r.Env = append(os.Environ(), "TMPDIR="+dir)
			in, err := r.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			r.start(t)
			if _, err := io.WriteString(in, head+strings.Repeat(aNote, 20_000)); err != nil { // more than a pipe holds: it is being read
				t.Fatal(err)
			}
			if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) == 0 {
				if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); len(hidden) == 0 {
					t.Error("nothing has begun")
				}
			}
			if err := syscall.Kill(-r.Process.Pid, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if code := r.wait(t); code != exitAborted {
				t.Errorf("exit code %d, want %d", code, exitAborted)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

const (
	head  = `{"havoq_history":1,"run":1,"name":"endless","seed":1,"start":"2026-01-01T00:00:00Z"}` + "\n"
	aNote = `{"kind":"note","at":5,"name":"a","detail":"a line of some length, so that there are not too many of them"}` + "\n"
)

// A file that came to be there while another was made is not overwritten, and one whose making fails is not there.
func TestWriteNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new")
	err := writeNew(path, func(tmp string) error {
		if err := os.WriteFile(path, []byte("theirs"), 0o644); err != nil {
			return err
		}
		return os.WriteFile(tmp, []byte("ours"), 0o644)
	})
	if text, _ := os.ReadFile(path); err == nil || string(text) != "theirs" {
		t.Errorf("%v, and it is %q", err, text)
	}
	failed := filepath.Join(t.TempDir(), "failed")
	broken := errors.New("broken")
	err = writeNew(failed, func(tmp string) error { _ = os.WriteFile(tmp, []byte("half"), 0o644); return broken })
	if left, _ := os.ReadDir(filepath.Dir(failed)); !errors.Is(err, broken) || len(left) > 0 {
		t.Errorf("%v, and there is %v", err, left)
	}
}
