package report_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/report"
	"github.com/havoqlab/havoq/lab/gameday/result"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func fixtures() map[string]*result.Result {
	return map[string]*result.Result{"kill": killRun(), "loss": lossRun(), "unknown": unknownRun(), "aborted": abortedRun()}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not as it was; look at it in a browser, and if it is right run with -update", name)
	}
}

// The reports depend on the result alone, byte by byte.
func TestGolden(t *testing.T) {
	formats := map[string]func(io.Writer, *result.Result) error{"html": report.HTML, "md": report.Markdown, "xml": report.JUnit}
	for name, r := range fixtures() {
		for ending, write := range formats {
			t.Run(name+"."+ending, func(t *testing.T) {
				golden(t, name+"."+ending, []byte(render(t, write, r)))
			})
		}
	}
}

func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	if err := report.WriteAll(dir, killRun()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{result.HTMLFile, result.MarkdownFile, result.JUnitFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 3 {
		t.Errorf("%d files are in the folder, want 3: temporary ones are left", len(entries))
	}
	if err := report.WriteAll(filepath.Join(dir, "missing"), killRun()); err == nil {
		t.Error("writing into a folder that is not there works")
	}
}
