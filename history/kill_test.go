package history_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

const killedPath = "HAVOQ_TEST_KILLED_WRITER"

// TestKilledWriter kills a process in mid-write, as kill -9 does, and reads what it left: no reservation that Record has
// returned from may be missing.
func TestKilledWriter(t *testing.T) {
	if path := os.Getenv(killedPath); path != "" {
		recordForEver(path)
	}
	for range 3 {
		path := filepath.Join(t.TempDir(), "history")
		child := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		child.Env = append(os.Environ(), killedPath+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		told := 0
		for lines := bufio.NewScanner(out); told < 40 && lines.Scan(); told++ {
			if want := fmt.Sprintf("reserved %d", told); lines.Text() != want {
				t.Errorf("child: %q, want %q", lines.Text(), want)
				break
			}
		}
		child.Process.Kill()
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatal(err)
		}
		r, err := history.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		reserved := 0
		for e := range r.Events() {
			if e.Kind == history.Reserve {
				if e.Identity.Seq != uint64(reserved)*4096 {
					t.Fatalf("%+v", e)
				}
				reserved++
			}
		}
		if told != 40 || reserved < told || r.Err() != nil {
			t.Fatalf("%d reservations in the file, %d told, %v", reserved, told, r.Err())
		}
		t.Logf("%d reservations, %q", reserved, r.Warning())
	}
}

func recordForEver(path string) {
	w, err := history.Create(path, history.Header{Run: 1})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		id := queue.Identity{Run: 1, Producer: 1, Seq: uint64(i) * 4096}
		w.Record(history.Event{Kind: history.Reserve, Identity: id, Value: 4096})
		fmt.Println("reserved", i)
		for range 4096 {
			w.Record(history.Event{Kind: history.Invoke, Identity: id})
			id.Seq++
		}
	}
}
