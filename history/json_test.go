package history_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func TestJSONIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(anyEvent(), 0, 20).Draw(t, "events")
		var b bytes.Buffer
		if err := history.WriteJSON(&b, slices.Values(want)); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(b.String(), "\n"); lines != len(want) {
			t.Fatalf("%d lines, %d events", lines, len(want))
		}
		got, err := values(history.ReadJSON(&b))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same()); len(want) > 0 && diff != "" {
			t.Fatal(diff)
		}
	})
}

func ExampleWriteJSON() {
	id := queue.Identity{Run: 7, Producer: 1, Seq: 12}
	var m history.Memory
	m.Record(history.Event{Kind: history.Deliver, At: 1500, Identity: id, Client: "consumer-1", Group: "billing", Attempt: 1})
	m.Record(history.Event{Kind: history.Settle, At: 1900, Identity: id, Client: "consumer-1", Group: "billing", Ack: true})
	history.WriteJSON(os.Stdout, m.Events())
	// Output:
	// {"kind":"deliver","at":1500,"message":{"run":7,"producer":1,"seq":12},"attempt":1,"client":"consumer-1","group":"billing"}
	// {"kind":"settle","at":1900,"message":{"run":7,"producer":1,"seq":12},"outcome":"unknown","ack":true,"client":"consumer-1","group":"billing"}
}

func TestReadJSONIsStrict(t *testing.T) {
	tests := map[string]string{
		`{"kind":"invoked","at":1}`:                                                     `line 2: unknown kind of event "invoked"`,
		`{"kind":"","at":1}`:                                                            `line 2: unknown kind of event ""`,
		`{"kind":"invoke","at":1,"sequence":3}`:                                         `line 2: json: unknown field "sequence"`,
		`{"kind":"invoke","at":-1}`:                                                     `line 2: at -1 is before the start`,
		`{"kind":"invoke","at":"1"}`:                                                    `line 2: json: cannot unmarshal`,
		`{"kind":"outcome","at":1,"outcome":"fine"}`:                                    `line 2: unknown outcome "fine"`,
		`{"kind":"deliver","at":1,"damage":"some"}`:                                     `line 2: unknown damage "some"`,
		`{"kind":"invoke","at":1} {}`:                                                   `line 2: something follows the object`,
		`{"kind":"invoke","at":1`:                                                       `line 2: unexpected EOF`,
		`{"kind":"sample","at":1,"value":"much"}`:                                       `line 2: strconv`,
		`{"kind":"invoke","at":1,"message":{"run":1,"seq":-1}}`:                         `line 2: json: cannot unmarshal`,
		`{"kind":"invoke","at":1,"client":"` + big(20000) + `"}`:                        `line 2: a invoke event with a name of 20000 bytes`,
		`{"kind":"invoke","at":1,"client":"` + big(1<<20) + `"}`:                        `line 2: it is longer than `,
		"{\"kind\":\"note\",\"at\":1,\"detail\":\"\xff\"}":                              `line 2: it is not UTF-8`,
		`{"havoq_history":1,"run":1,"name":"","seed":1,"start":"2026-01-01T00:00:00Z"}`: `line 2: a second header`,
	}
	for line, want := range tests {
		good := `{"kind":"end","at":1}`
		got, err := values(history.ReadJSON(strings.NewReader(good + "\n" + line + "\n" + good)))
		if err == nil || !strings.Contains(err.Error(), want) || len(got) != 1 {
			t.Errorf("%.60s: %v after %d events, want %s", line, err, len(got), want)
		}
	}
}

func big(n int) string { return strings.Repeat("x", n) }

func TestKindsHaveWords(t *testing.T) {
	for k := history.Invoke; k <= history.Source; k++ {
		if back, err := history.ParseKind(k.String()); back != k || err != nil {
			t.Errorf("kind %d is %q, which is %d, %v", k, k, back, err)
		}
	}
	for _, k := range []history.Kind{0, history.Source + 1, 255} {
		if s := k.String(); s != fmt.Sprintf("kind(%d)", uint8(k)) {
			t.Errorf("kind %d is %q", uint8(k), s)
		}
	}
}

func TestDumpAndLoad(t *testing.T) {
	h := history.Header{Run: 5, Name: "n", Seed: 1<<64 - 1, Start: time.Unix(1, 5), Info: map[string]string{"go": "1.26"}}
	_, events := small(t)
	r, err := history.Open(write(t, written(t, h, events...)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if err := history.Dump(&b, r); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "history")
	if err := history.Load(bytes.NewReader(b.Bytes()), path); err != nil {
		t.Fatal(err)
	}
	back, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if diff := cmp.Diff(h, back.Header()); diff != "" {
		t.Error(diff)
	}
	if got := slices.Collect(back.Events()); !slices.Equal(got, events) || back.Err() != nil || back.Warning() != "" {
		t.Error(len(got), back.Err(), back.Warning())
	}
}

// Whatever header a history can have can be loaded, also where each of its bytes takes six in JSON.
func TestAHeaderFullOfEscapesIsLoaded(t *testing.T) {
	h := history.Header{Run: 1, Start: time.Unix(1, 0), Info: map[string]string{"log": strings.Repeat("<", 1<<20-100)}}
	path := filepath.Join(t.TempDir(), "first")
	w, err := history.Create(path, h)
	if err != nil {
		t.Fatal(err)
	}
	w.Record(history.Event{Kind: history.End})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if err := history.Dump(&b, r); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := history.Load(&b, again); err != nil {
		t.Fatal(err)
	}
	back, err := history.Open(again)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if diff := cmp.Diff(h, back.Header()); diff != "" {
		t.Error(diff[:min(len(diff), 200)])
	}
}

// Whatever a history holds, also texts that JSON cannot carry: its dump, loaded, gives the same dump.
func TestTheDumpOfALoadedDumpIsTheSame(t *testing.T) {
	dir := t.TempDir()
	texts := rapid.SampledFrom([]string{
		"", "plain", "<&>\u2028", "\xff", "a\xc3(", strings.Repeat("\xffa", 8000), strings.Repeat("é\xf0", 5000), strings.Repeat("é", 8000),
	})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		h := history.Header{Run: 1, Start: time.Unix(1, 5), Name: texts.Draw(t, "name"), Info: map[string]string{"k": texts.Draw(t, "info")}}
		f := &memoryFile{}
		w, err := history.NewWriter("in memory", f, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rapid.SliceOfN(anyEvent(), 0, 10).Draw(t, "events") {
			e.Client, e.Name, e.Detail = texts.Draw(t, "client"), texts.Draw(t, "name"), texts.Draw(t, "detail")
			w.Record(e)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := history.NewReader("in memory", bytes.NewReader(f.Bytes()), int64(f.Len()))
		if err != nil {
			t.Fatal(err)
		}
		first := dump(t, r)
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		if err := history.Load(bytes.NewReader(first), path); err != nil {
			t.Fatal(err)
		}
		again, err := history.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if second := dump(t, again); !bytes.Equal(first, second) {
			t.Fatalf("%q\n%q", first, second)
		}
	})
}

func dump(t *rapid.T, r *history.Reader) []byte {
	var b bytes.Buffer
	if err := history.Dump(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A part of a history says that it is one, also after it was loaded and taken apart again.
func TestADumpedPartSaysSo(t *testing.T) {
	_, events := small(t)
	r, err := history.Open(write(t, written(t, history.Header{Run: 5}, events...)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	kind := events[0].Kind
	if err := history.DumpPart(&b, r, "kind x", func(e *history.Event) bool { return e.Kind == kind }); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "part")
	if err := history.Load(&b, path); err != nil {
		t.Fatal(err)
	}
	part, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	for e := range part.Events() {
		if e.Kind != kind {
			t.Error(e.Kind)
		}
	}
	if got := part.Header().Info[history.Part]; got != "kind x" {
		t.Error(got)
	}
	b.Reset()
	if err := history.DumpPart(&b, part, "group y", func(*history.Event) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"part":"kind x, group y"`) || strings.Count(b.String(), "\n") != 1 {
		t.Error(b.String())
	}
}

func TestDumpOfADamagedHistoryIsAnError(t *testing.T) {
	whole, _ := small(t)
	whole[bytes.Index(whole, []byte("HVQB"))+20] ^= 1
	r, err := history.Open(write(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := history.Dump(io.Discard, r); err == nil || !strings.Contains(err.Error(), "corrupt at offset") {
		t.Error(err)
	}
}

func TestLoadErrors(t *testing.T) {
	head := `{"havoq_history":1,"run":1,"name":"","seed":1,"start":"2026-01-01T00:00:00Z"}` + "\n"
	tests := map[string]string{
		"":                                   "line 1: the header: unexpected EOF",
		"{}\n":                               "havoq_history is missing",
		"nope\n":                             "line 1: the header",
		strings.Replace(head, ":1", ":2", 1): "havoq_history is 2",
		head + `{"kind":"end","at":0}`:       "end event at 0 ns",
		head + `{"kind":"end","at":5}` + "\n" + `{"kind":"end","at":4}`:    "line 3: a end event at 4 ns comes after one at 5 ns",
		head + `{"kind":"the end","at":5}`:                                 `JSON line 2: unknown kind of event "the end"`,
		head + `{"kind":"end","at":5}` + "\n\n" + `{"kind":"end","at":6}}`: `JSON line 4: something follows`,
		head + `{"kind":"note","at":5,"detail":"` + big(1<<20) + `"}`:      `JSON line 2: it is longer than`,
		head[:20] + big(7<<20) + "\n":                                      `line 1: the header: it is longer than`,
		head[:len(head)-2] + `,"more":1}` + "\n":                           `line 1: the header: json: unknown field "more"`,
		head + "\n" + head:                                                 `line 3: a second header`,
		"\xff" + head:                                                      `line 1: the header: it is not UTF-8`,
	}
	for in, want := range tests {
		if err := history.Load(strings.NewReader(in), filepath.Join(t.TempDir(), "history")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}

func TestWriteJSONReportsWhatItCannotWrite(t *testing.T) {
	if err := history.WriteJSON(io.Discard, slices.Values([]history.Event{{}})); err == nil {
		t.Error("an event of no kind was written")
	}
	broken := errors.New("broken pipe")
	if err := history.WriteJSON(failing{broken}, slices.Values([]history.Event{{Kind: history.End}})); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// The reason of a reading that broke off is told, and not what is wrong with the half of a line that came before it.
func TestABrokenReadingIsToldAsSuch(t *testing.T) {
	broken := errors.New("unplugged")
	_, err := values(history.ReadJSON(io.MultiReader(strings.NewReader(`{"kind":"end","at":1}`+"\n"+`{"kind":`), iotest.ErrReader(broken))))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 2") {
		t.Error(err)
	}
}
