package history_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
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

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history.Header{
			Run: rapid.Uint32().Draw(t, "run"), Name: rapid.String().Draw(t, "name"), Seed: rapid.Uint64().Draw(t, "seed"),
			Start: time.Unix(0, rapid.Int64Range(1, math.MaxInt64/2).Draw(t, "start")),
			Info:  rapid.MapOfN(rapid.String(), rapid.String(), 1, 4).Draw(t, "info"),
		}
		want := inOrder(rapid.SliceOfN(anyEvent(), 0, 50).Draw(t, "events"))
		f := &memoryFile{}
		w, err := history.NewWriter("in memory", f, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range want {
			w.Record(e)
			if rapid.IntRange(0, 9).Draw(t, "flush") == 0 {
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := history.NewReader("in memory", bytes.NewReader(f.Bytes()), int64(f.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, r.Header()); diff != "" {
			t.Fatal(diff)
		}
		for range 2 { // each loop is a new pass
			got := slices.Collect(r.Events())
			if r.Err() != nil || r.Warning() != "" || len(got) != len(want) {
				t.Fatal(len(got), len(want), r.Err(), r.Warning())
			}
			if diff := cmp.Diff(want, got, same()); len(want) > 0 && diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestManyTracksAndTextsAreRead(t *testing.T) {
	// More than have numbers, and many blocks.
	var want []history.Event
	for i := range history.MaxTracks + 100 {
		want = append(want, history.Event{
			Kind: history.Deliver, At: int64(i + 1), Client: fmt.Sprintf("client %d", i), Detail: fmt.Sprintf("detail %d", i%1000),
			Identity: queue.Identity{Run: 1, Producer: uint32(i), Seq: 7},
		})
	}
	want = append(want, want[len(want)-200:]...)
	for i := range want {
		want[i].At = int64(i + 1)
	}
	got, warning, err := read(written(t, history.Header{Run: 1}, want...))
	if err != nil || warning != "" || !slices.Equal(got, want) {
		t.Fatalf("%d events of %d, %q, %v", len(got), len(want), warning, err)
	}
}

func TestBigEventsAreRead(t *testing.T) {
	big := strings.Repeat("x", history.MaxText-4)
	var want []history.Event
	for i := range 2000 { // more than texts may take memory
		n := fmt.Sprintf("%04d", i)
		want = append(want, history.Event{
			Kind: history.Note, At: int64(i + 1), Client: big + n, Group: big + n[:3], Name: big + n[3:], Node: big + n[2:], Detail: n[3:] + big,
		})
	}
	got, warning, err := read(written(t, history.Header{}, want...))
	if err != nil || warning != "" || !slices.Equal(got, want) {
		t.Fatalf("%d events of %d, %q, %v", len(got), len(want), warning, err)
	}
}

func TestOverlongDetailIsCutAndSaysSo(t *testing.T) {
	got, _, err := read(written(t, history.Header{}, history.Event{Kind: history.Note, Detail: strings.Repeat("ä", history.MaxText)}))
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	d := got[0].Detail
	if len(d) > history.MaxText || !strings.HasSuffix(d, fmt.Sprintf("ä… (cut, %d bytes)", 2*history.MaxText)) {
		t.Fatal(len(d), d[len(d)-40:])
	}
}

// small is a history of a few blocks.
func small(t *testing.T) (whole []byte, events []history.Event) {
	for i := range 4 {
		for _, e := range life(i) {
			events = append(events, e)
		}
		events = append(events, history.Event{Kind: history.Phase, At: events[len(events)-1].At, Name: fmt.Sprintf("phase %d", i)}) // ends a block
	}
	return written(t, history.Header{Run: 1, Name: "small", Start: time.Unix(1, 0)}, events...), events
}

// prefix reports how many events of want got is, or fails.
func prefix(t *testing.T, got, want []history.Event) int {
	t.Helper()
	if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
		t.Fatalf("%d events that are not those recorded", len(got))
	}
	return len(got)
}

func TestTornAtEveryByte(t *testing.T) {
	whole, events := small(t)
	head := len(written(t, history.Header{Run: 1, Name: "small", Start: time.Unix(1, 0)}))
	last := 0
	ends := map[int]bool{} // cuts after which nothing is torn
	for n := range whole {
		got, warning, err := read(whole[:n])
		if n < head {
			if err == nil || !strings.Contains(err.Error(), "nothing was recorded") {
				t.Fatalf("cut at %d, within the header: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		count := prefix(t, got, events)
		if count < last {
			t.Fatalf("cut at %d: %d events, fewer than of a shorter file", n, count)
		}
		if warning == "" {
			ends[n] = true
			if count == last && n > head {
				t.Fatalf("cut at %d: something was cut in silence", n)
			}
		} else if !strings.Contains(warning, fmt.Sprintf("from offset %d,", lastEnd(ends))) ||
			!strings.Contains(warning, fmt.Sprintf("last %d bytes", n-lastEnd(ends))) {
			t.Fatalf("cut at %d, last whole block ends at %d: %s", n, lastEnd(ends), warning)
		}
		last = count
	}
	if len(ends) != 4 { // the header, and all blocks but the last
		t.Fatalf("%d sound ends, of 4 blocks", len(ends))
	}
}

func lastEnd(ends map[int]bool) (last int) {
	for n := range ends {
		last = max(last, n)
	}
	return last
}

func TestEveryBitFlipIsFound(t *testing.T) {
	whole, events := small(t)
	head := len(written(t, history.Header{Run: 1, Name: "small", Start: time.Unix(1, 0)}))
	lastBlock := bytes.LastIndex(whole, []byte("HVQB"))
	for n := range whole {
		for bit := range 8 {
			damaged := slices.Clone(whole)
			damaged[n] ^= 1 << bit
			got, warning, err := read(damaged)
			prefix(t, got, events)
			switch {
			case n < head && err == nil:
				t.Fatalf("byte %d bit %d, in the header: no error", n, bit)
			case n >= head && n < lastBlock && (err == nil || warning != "" || !strings.Contains(err.Error(), "in memory is corrupt at offset ")):
				t.Fatalf("byte %d bit %d, in the middle: %v, %q", n, bit, err, warning)
			case n >= lastBlock && (err != nil || warning == ""):
				t.Fatalf("byte %d bit %d, in the last block: %v, %q", n, bit, err, warning)
			}
		}
	}
}

func TestBlocksThatMovedAreFound(t *testing.T) {
	whole, events := small(t)
	other := written(t, history.Header{Run: 2, Name: "small", Start: time.Unix(1, 0)}, events...)
	marks := []int{}
	for i := 0; i+4 <= len(whole); i++ {
		if string(whole[i:i+4]) == "HVQB" {
			marks = append(marks, i)
		}
	}
	long := bytes.Repeat(other[marks[0]:], 1+(history.MaxBlock+history.BlockHead)/(len(other)-marks[0]))
	tests := map[string][]byte{
		"a block is missing":       slices.Concat(whole[:marks[1]], whole[marks[2]:], long),
		"a block comes twice":      slices.Concat(whole[:marks[2]], whole[marks[1]:], long),
		"another run is appended":  slices.Concat(whole, long),
		"its blocks took a place":  slices.Concat(whole[:marks[2]], other[marks[2]:marks[3]], whole[marks[3]:]),
		"a megabyte of noise":      append(slices.Clone(whole), bytes.Repeat([]byte{7}, 1<<20)...),
		"a hole full of zeros":     slices.Concat(whole[:marks[1]], make([]byte, marks[2]-marks[1]), whole[marks[2]:]),
		"zeros, and then not":      slices.Concat(whole, make([]byte, 1<<20), []byte{1}),
		"a block that is too long": slices.Concat(whole, []byte("HVQB\x00\x00\x00\x00\xff\xff\xff\x7f"), make([]byte, 1<<20)),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			got, warning, err := read(b)
			prefix(t, got, events)
			if err == nil || warning != "" || !strings.Contains(err.Error(), "at offset ") {
				t.Fatal(err, warning)
			}
		})
	}
}

func TestZerosAfterAPowerCutAreCut(t *testing.T) {
	whole, events := small(t)
	got, warning, err := read(append(slices.Clone(whole), make([]byte, 1<<20)...))
	if prefix(t, got, events) != len(events) || err != nil || !strings.Contains(warning, fmt.Sprintf("last %d bytes, from offset %d,", 1<<20, len(whole))) {
		t.Fatal(len(got), warning, err)
	}
}

func TestOpenErrors(t *testing.T) {
	whole, _ := small(t)
	newer := slices.Clone(whole)
	newer[8]++
	huge := slices.Clone(whole)
	huge[13] = 0x7f
	tests := map[string]struct {
		b    []byte
		want string
	}{
		"empty":         {nil, "0 bytes are no history"},
		"other file":    {[]byte("PK\x03\x04 and so on, long enough"), "not a history of havoq"},
		"newer version": {newer, "version 2 and this havoq reads version 1: use"},
		"huge header":   {huge, "header is corrupt: it claims"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.b)
			_, err := history.Open(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatal(err)
			}
		})
	}
	if _, err := history.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Fatal(err)
	}
	if _, err := history.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// Two files in one are told apart from a torn end, whatever their sizes, and whether or not the first one was torn.
func TestPastedHistoriesAreToldApart(t *testing.T) {
	whole, _ := small(t)
	large := written(t, history.Header{Run: 2}, many(100_000)...)
	for _, test := range []struct{ first, second []byte }{
		{whole, whole}, {whole[:len(whole)-3], whole}, {whole, large}, {large, whole}, {large[:len(large)-3], large},
	} {
		got, warning, err := read(slices.Concat(test.first, test.second))
		want := fmt.Sprintf("another history begins at offset %d: two files were pasted together", len(test.first))
		if err == nil || !strings.Contains(err.Error(), want) || warning != "" || len(got) == 0 {
			t.Errorf("%d and %d bytes: %d events, %q, %v; want %s", len(test.first), len(test.second), len(got), warning, err, want)
		}
	}
}

func many(n int) []history.Event {
	events := make([]history.Event, n)
	for i := range events {
		events[i] = history.Event{Kind: history.Note, At: int64(i + 1), Detail: fmt.Sprint(i)}
	}
	return events
}

// A file of 10 GB that is empty but for its beginning is not read through to see that.
func TestEndlessZerosAreNoTornEnd(t *testing.T) {
	whole, events := small(t)
	path := write(t, whole)
	if err := os.Truncate(path, 10<<30); err != nil {
		t.Fatal(err)
	}
	r, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := 0
	for range r.Events() {
		n++
	}
	want := fmt.Sprintf("corrupt at offset %d", len(whole))
	if n != len(events) || r.Err() == nil || !strings.Contains(r.Err().Error(), want) {
		t.Errorf("%d events of %d, %v, want %s", n, len(events), r.Err(), want)
	}
}
