package history_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func TestReadAppRecords(t *testing.T) {
	other := func(text string) string { return strings.ReplaceAll(text, `"app":"a"`, `"app":"b"`) }
	end := line(2, "end", "")
	for name, c := range map[string]struct {
		file    string
		want    []string
		warning string
		err     string
	}{
		"whole":              {begin + processed(1, "o-1") + end, []string{"begin", "processed o-1", "end"}, "", ""},
		"blank lines":        {"\n" + begin + "\r\n" + processed(1, "o-1"), []string{"begin", "processed o-1"}, "", ""},
		"no last line end":   {strings.TrimSpace(begin), []string{"begin"}, "", ""},
		"a torn end":         {begin + processed(1, "o-1")[:40], []string{"begin"}, "line 2 is torn", ""},
		"torn, then a start": {begin + processed(1, "o-1")[:40] + "\n" + other(begin), []string{"begin", "begin"}, "line 2 is torn", ""},
		"torn, then a gap":   {begin + processed(1, "o-1")[:40] + "\n" + processed(2, "o-2"), []string{"begin", "gap of 1", "processed o-2"}, "line 2 is torn", ""},
		"torn twice":         {begin + "{\n" + `{"` + "\n" + processed(3, "o-3"), []string{"begin", "gap of 2", "processed o-3"}, "lines 2 to 3 are torn", ""},
		"torn, and nothing is missing": {begin + "{\n" + processed(1, "o-1"), []string{"begin"}, "",
			"line 2 is no JSON, but neither the end of its writer nor missing"},
		"the beginning is missing": {processed(4, "o-4"), []string{"gap of 4", "processed o-4"}, "", ""},
		"two in turns":             {begin + other(begin) + processed(1, "o-1") + other(processed(1, "o-2")), []string{"begin", "begin", "processed o-1", "processed o-2"}, "", ""},
		"a copy twice":             {begin + processed(1, "o-1") + begin, []string{"begin", "processed o-1"}, "", "line 3: seq 0 of app a came before"},
		"after the end":            {begin + line(1, "end", "") + processed(2, "o"), []string{"begin", "end"}, "", "line 3: app a goes on after its end"},
		"an unknown key":           {begin + line(1, "end", `,"x":1`), []string{"begin"}, "", `line 2: json: unknown field "x"`},
		"empty":                    {"", nil, "", "there are none"},
		"something else":           {"hello\nworld", nil, "", "there are none"},
		"a long line":              {begin + `{"what":"` + strings.Repeat("x", 70_000) + `"}`, []string{"begin"}, "", "line 2 has more than 65536 bytes"},
	} {
		r := history.ReadAppRecords(strings.NewReader(c.file))
		told := &collected{}
		for rec := range r.Records() {
			told.record(rec)
		}
		if !slices.Equal(told.texts(), c.want) {
			t.Errorf("%s: %q, want %q", name, told.texts(), c.want)
		}
		if (r.Err() == nil) != (c.err == "") || r.Err() != nil && !strings.Contains(r.Err().Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, r.Err(), c.err)
		}
		if got := strings.Join(r.Warnings(), "\n"); (got == "") != (c.warning == "") || !strings.Contains(got, c.warning) {
			t.Errorf("%s: %q, want %q", name, got, c.warning)
		}
	}
}

func TestParseAppRecordIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		line(1, "begin", `,"version":1`):                                  "begin has 0",
		line(0, "begin", ``):                                              "version 0",
		line(0, "end", ``):                                                "begin has 0",
		line(1, "end", `,"version":1`):                                    "a version in",
		line(1, "gap", ``):                                                "unknown kind of record",
		line(1, "end", `,"id":"x"`):                                       `a id in a "end" record`,
		line(1, "sending", `,"id":"x","outcome":"ok"`):                    "an outcome in",
		line(1, "sending", `,"id":"x","effect":"e"`):                      "a effect in",
		line(1, "sent", `,"id":"x"`):                                      `unknown outcome ""`,
		line(1, "sent", `,"outcome":"ok"`):                                "no id",
		line(1, "processed", `,"id":"x"`):                                 "no group",
		strings.Replace(begin, `"a"`, `""`, 1):                            "app",
		strings.Replace(begin, `"a"`, `"a b"`, 1):                         "app",
		strings.Replace(begin, `"a"`, `"`+strings.Repeat("a", 65)+`"`, 1): "app",
		strings.Replace(begin, "2026", "1969", 1):                         "out of range",
		strings.Replace(begin, "2026-11-21T", "", 1):                      "time",
		strings.Repeat(" ", 65<<10):                                       "65536 are allowed",
		`[]`:                                                              "cannot unmarshal",
	} {
		if r, err := history.ParseAppRecord([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || r != (history.AppRecord{}) {
			t.Errorf("%.100s: %v, want %q", text, err, want)
		}
	}
}

// anyAppRecord draws a record that the format allows.
func anyAppRecord() *rapid.Generator[history.AppRecord] {
	return rapid.Custom(func(t *rapid.T) history.AppRecord {
		name := rapid.StringN(0, -1, 512)
		r := history.AppRecord{
			What: rapid.SampledFrom([]history.AppWhat{history.AppBegin, history.AppProcessed, history.AppSending, history.AppSent, history.AppEnd}).Draw(t, "what"),
			App:  rapid.StringMatching("[!-~]{1,64}").Draw(t, "app"),
			At:   time.Unix(rapid.Int64Range(0, 9_000_000_000).Draw(t, "at"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
		}
		if r.What == history.AppEnd {
			r.Seq = rapid.Uint64Min(1).Draw(t, "seq")
			return r
		}
		r.Client, r.Topic = name.Draw(t, "client"), name.Draw(t, "topic")
		if r.What == history.AppBegin || r.What == history.AppProcessed {
			r.Group = rapid.StringN(1, -1, 512).Draw(t, "group")
		}
		if r.What == history.AppBegin {
			return r
		}
		r.Seq, r.ID = rapid.Uint64Min(1).Draw(t, "seq"), rapid.StringN(1, -1, 512).Draw(t, "id")
		switch r.What {
		case history.AppProcessed:
			r.Effect = rapid.StringN(0, -1, 4096).Draw(t, "effect")
		case history.AppSent:
			r.Outcome = queue.Outcome(rapid.Uint8Max(2).Draw(t, "outcome"))
			r.Detail = rapid.StringN(0, -1, 4096).Draw(t, "detail")
		}
		return r
	})
}

func TestAppRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyAppRecord().Draw(t, "record")
		text, err := want.AppendLine([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		rest, ok := strings.CutPrefix(string(text), "before")
		if !ok || strings.Count(rest, "\n") != 1 || !strings.HasSuffix(rest, "\n") {
			t.Fatalf("%q is not one line", text)
		}
		got, err := history.ParseAppRecord([]byte(rest))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What is read can be written, and is then read the same; nothing makes the reader panic or go on for ever.
func FuzzReadAppRecords(f *testing.F) {
	f.Add([]byte(begin + processed(1, "o-1") + line(2, "end", "")))
	f.Add([]byte(begin + line(3, "sent", `,"id":"x","outcome":"unknown","detail":"time-out"`) + "{\n" + processed(9, "\u2028")))
	f.Add([]byte(line(1, "sending", `,"id":"x","topic":"t","client":"c"`)[:50]))
	f.Fuzz(func(t *testing.T, file []byte) {
		r := history.ReadAppRecords(strings.NewReader(string(file)))
		n := 0
		for rec := range r.Records() {
			n++
			if rec.What == history.AppGap {
				if rec.Count == 0 {
					t.Fatal("a gap of nothing")
				}
				continue
			}
			text, err := rec.AppendLine(nil)
			if err != nil {
				t.Fatalf("%+v was read, and cannot be written: %v", rec, err)
			}
			again, err := history.ParseAppRecord(text)
			if diff := cmp.Diff(rec, again); err != nil || diff != "" {
				t.Fatal(err, diff)
			}
		}
		if n == 0 && r.Err() == nil {
			t.Fatal("nothing is read, and that is no error")
		}
		if n > 2*len(file) {
			t.Fatal(n, "records")
		}
	})
}

const killedAppPath = "HAVOQ_TEST_KILLED_APP"

// TestKilledApp kills a service in the middle of its records, as kill -9 does, twice with the same file. What it was told to be on
// record is there.
func TestKilledApp(t *testing.T) {
	if path := os.Getenv(killedAppPath); path != "" {
		processForEver(path)
	}
	path := filepath.Join(t.TempDir(), "records.jsonl")
	told := [2]int{}
	for start := range told {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledApp$")
		child.Env = append(os.Environ(), killedAppPath+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); told[start] < 500 && lines.Scan(); told[start]++ {
			if want := fmt.Sprintf("processed %d", told[start]); lines.Text() != want {
				t.Errorf("child: %q, want %q", lines.Text(), want)
				break
			}
		}
		child.Process.Kill()
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatal(err)
		}
	}
	records, r := appRecords(t, path)
	starts := r.Apps()
	if r.Err() != nil || len(starts) != 2 {
		t.Fatal(r.Err(), starts)
	}
	for _, s := range starts {
		if s.Ended || s.Missing != 0 || s.Records < 500 {
			t.Errorf("%+v", s)
		}
	}
	t.Logf("%d records, %q", len(records), r.Warnings())
}

func processForEver(path string) {
	a, err := history.NewApp(history.AppConfig{File: path, Group: "billing"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		if err := a.Processed(fmt.Sprint(i), strings.Repeat("e", 3000)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("processed", i)
	}
}
