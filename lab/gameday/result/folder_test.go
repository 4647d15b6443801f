package result_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/havoqlab/havoq/lab/gameday/result"
)

func TestResultRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := judge(t, kill(), parse(t, "", `expect: { verdict: pass }`))
	if err := result.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := result.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRunInfoRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := info()
	if err := result.WriteRunInfo(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := result.ReadRunInfo(dir)
	if err != nil {
		t.Fatal(err)
	}
	want.Schema = result.RunSchema
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadableFolders(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"{", "unexpected end"}, {`{"schema": "havoq.result/9"}`, "havoq verify"}, {`[]`, "cannot unmarshal"},
	} {
		write(result.ResultFile, c.text)
		if _, err := result.Load(dir); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	write(result.RunFile, `{"schema": "havoq.run/9"}`)
	if _, err := result.ReadRunInfo(dir); err == nil || !strings.Contains(err.Error(), "havoq.run/1") {
		t.Error(err)
	}
	if _, err := result.ReadRunInfo(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A file that cannot be written whole stays as it was, and leaves nothing beside it.
func TestWriteFileIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	full := errors.New("the disk is full")
	err := result.WriteFile(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return full
	})
	if !errors.Is(err, full) {
		t.Error(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "old" {
		t.Errorf("the file is %q", text)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files in the folder", len(entries))
	}
	if err := result.WriteFile(path, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "new" {
		t.Errorf("the file is %q", text)
	}
}
