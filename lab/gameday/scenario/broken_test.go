package scenario_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

var update = flag.Bool("update", false, "write the golden files")

// Each file of testdata/broken has its messages beside it: they are part of the product, and are read before they are
// accepted.
func TestBrokenFilesGiveTheirMessages(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d broken files (%v), want at least 50", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			source := readFile(t, file)
			_, err := scenario.Parse(name, source, scenario.Options{})
			if err == nil {
				t.Fatal("accepted")
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")

			var all scenario.Errors
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("error of type %T", err)
			}
			var one *scenario.Error
			if !errors.As(err, &one) {
				t.Error("errors.As finds no *scenario.Error")
			}
			lines := strings.Count(string(source), "\n") + 1
			for _, e := range all {
				if e.Line < 0 || e.Line > lines || e.Column < 0 {
					t.Errorf("place %d:%d is outside the file", e.Line, e.Column)
				}
			}
		})
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readFile(t, path)), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
