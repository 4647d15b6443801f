package history_test

import (
	"errors"
	"fmt"
	"iter"
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

// pieceOf is a piece whose events are these.
func pieceOf(name string, events ...history.Event) history.Piece {
	return history.Piece{Name: name, Events: slices.Values(events)}
}

func sendOf(run, producer uint32, at int64) history.Event {
	return history.Event{Kind: history.Invoke, At: at, Identity: queue.Identity{Run: run, Producer: producer, Seq: uint64(at)}}
}

func merged(tb testing.TB, pieces ...history.Piece) ([]history.Event, error) {
	tb.Helper()
	m, err := history.Merge(pieces...)
	if err != nil {
		return nil, err
	}
	events := slices.Collect(m.Events())
	return events, m.Err()
}

// Whatever a history is taken apart into, put together it is the same, whenever each machine's clock began.
func TestMergeIsWhole(t *testing.T) {
	start := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "pieces")
		begun := []time.Duration{0}
		var clocks []time.Duration
		for i := range n {
			if i > 0 {
				begun = append(begun, time.Duration(rapid.Int64Range(0, 500).Draw(t, "begun")))
			}
			clocks = append(clocks, time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "clock")))
		}
		pieces, at := make([][]history.Event, n), int64(500)
		var whole []history.Event
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			at += rapid.Int64Range(1, 20).Draw(t, "later")
			i := rapid.IntRange(0, n-1).Draw(t, "piece")
			e := sendOf(3, uint32(i), at)
			e.Intended = at - 7
			whole = append(whole, e)
			e.At, e.Intended = e.At-int64(begun[i]), e.Intended-int64(begun[i])
			pieces[i] = append(pieces[i], e)
		}
		var parts []history.Piece
		for i, events := range pieces {
			p := pieceOf(fmt.Sprint("m", i), append(events, history.Event{Kind: history.End, At: at + 1 - int64(begun[i])})...)
			p.Start, p.Clock = start.Add(begun[i]+clocks[i]), clocks[i]
			parts = append(parts, p)
		}
		whole = append(whole, history.Event{Kind: history.End, At: at + 1})
		m, err := history.Merge(parts...)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // each pass is a new one
			if d := cmp.Diff(whole, slices.Collect(m.Events())); d != "" || m.Err() != nil {
				t.Fatal(m.Err(), d)
			}
		}
		if !m.Start().Equal(start) {
			t.Fatalf("it began at %v, not at %v", m.Start(), start)
		}
	})
}

func TestMergeTies(t *testing.T) {
	got, err := merged(t, pieceOf("a", sendOf(3, 1, 5), sendOf(3, 1, 7)), pieceOf("b", sendOf(3, 2, 5), sendOf(3, 2, 6)))
	want := []history.Event{sendOf(3, 1, 5), sendOf(3, 2, 5), sendOf(3, 2, 6), sendOf(3, 1, 7)}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
}

// A history that one of the machines did not end has no end.
func TestMergeEnds(t *testing.T) {
	end := func(at int64) history.Event { return history.Event{Kind: history.End, At: at} }
	tests := []struct {
		name   string
		pieces []history.Piece
		want   []history.Event
	}{
		{"all", []history.Piece{pieceOf("a", sendOf(3, 1, 1), end(2)), pieceOf("b", sendOf(3, 2, 3), end(4))},
			[]history.Event{sendOf(3, 1, 1), sendOf(3, 2, 3), end(4)}},
		{"one was cut off", []history.Piece{pieceOf("a", sendOf(3, 1, 1), end(9)), pieceOf("b", sendOf(3, 2, 3))},
			[]history.Event{sendOf(3, 1, 1), sendOf(3, 2, 3)}},
		{"one has nothing", []history.Piece{pieceOf("a", sendOf(3, 1, 1), end(9)), pieceOf("b")}, []history.Event{sendOf(3, 1, 1)}},
		{"one goes on after its end", []history.Piece{pieceOf("a", end(1), sendOf(3, 1, 2)), pieceOf("b", end(3))},
			[]history.Event{end(1), sendOf(3, 1, 2)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := merged(t, test.pieces...)
			if d := cmp.Diff(test.want, got); d != "" || err != nil {
				t.Error(err, d)
			}
		})
	}
}

// What a delivery tells of the sender's clock is left out where clocks differ.
func TestMergeClocks(t *testing.T) {
	e := history.Event{Kind: history.Deliver, At: 900, Intended: 100, Identity: queue.Identity{Run: 3}}
	for clock, want := range map[time.Duration][2]int64{0: {900, 100}, 300: {900, 0}, -300: {1200, 0}} {
		a, b := pieceOf("a", sendOf(3, 1, 1)), pieceOf("b", e)
		b.Clock = clock
		got, err := merged(t, a, b)
		if err != nil || len(got) != 2 {
			t.Fatal(got, err)
		}
		if d := got[1]; d.At != want[0] || d.Intended != want[1] {
			t.Errorf("a clock that is %v ahead: at %d, intended %d", clock, d.At, d.Intended)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	begun := func(p history.Piece, at time.Time) history.Piece { p.Start = at; return p }
	ofRun := func(p history.Piece, run uint32) history.Piece { p.Run = run; return p }
	broken := pieceOf("b", sendOf(3, 2, 1))
	broken.Err = func() error { return errors.New("a hole") }
	a, b := pieceOf("a", sendOf(3, 1, 1)), pieceOf("b", sendOf(3, 2, 1))
	read := history.Event{Kind: history.Deliver, At: 4, Identity: queue.Identity{Run: 4}}
	foreign := read
	foreign.Damage = history.Foreign
	tests := []struct {
		name   string
		pieces []history.Piece
		want   string
	}{
		{"nothing", nil, "0 pieces; from 1 to 256"},
		{"too much", slices.Repeat([]history.Piece{a}, 257), "257 pieces"},
		{"no events", []history.Piece{a, {Name: "b"}}, "b has no events"},
		{"one start", []history.Piece{a, begun(b, time.Unix(9, 0))}, "of a and b, one tells when its times begin"},
		{"far apart", []history.Piece{begun(a, time.Unix(0, 0)), begun(b, time.Unix(1e9, 0))}, "b begins 277777h46m40s after a"},
		{"further apart than can be told", []history.Piece{begun(a, time.Unix(math.MinInt32*4, 0)), begun(b, time.Unix(1<<40, 0))}, "b begins"},
		{"two runs", []history.Piece{ofRun(a, 3), ofRun(b, 4)}, "a is of run 3 and b is of run 4"},
		{"two runs, told by the third", []history.Piece{a, ofRun(b, 3), ofRun(a, 4)}, "b is of run 3 and a is of run 4"},
		{"sends of two runs", []history.Piece{a, pieceOf("b", sendOf(4, 2, 1))}, "a is of run 3 and b is of run 4"},
		{"deliveries of another run", []history.Piece{a, pieceOf("b", read)}, "a is of run 3 and b is of run 4"},
		{"another run than its own", []history.Piece{ofRun(pieceOf("a"), 5), b}, "a is of run 5 and b is of run 3"},
		{"foreign deliveries", []history.Piece{a, pieceOf("b", foreign)}, ""},
		{"a hole", []history.Piece{a, broken}, "b ended early: a hole"},
		{"the same producer", []history.Piece{a, pieceOf("b", sendOf(3, 1, 9))}, "a and b both tell of sends by producer 1, epoch 0, on stream 0"},
		{"in turn", []history.Piece{pieceOf("a", sendOf(3, 1, 1), sendOf(3, 1, 5)), pieceOf("b", sendOf(3, 2, 3))}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := merged(t, test.pieces...)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, expected %q", err, test.want)
			}
		})
	}
}

// Files of two machines, one of which was killed.
func TestMergeFiles(t *testing.T) {
	folder, start := t.TempDir(), time.Now()
	var readers []*history.Reader
	for i := range 2 {
		path := filepath.Join(folder, fmt.Sprint(i))
		h := history.Header{Run: 3, Start: start.Add(time.Duration(i) * time.Second)}
		if err := os.WriteFile(path, written(t, h, sendOf(3, uint32(i), 2e9), history.Event{Kind: history.End, At: 3e9}), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := history.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		readers = append(readers, r)
	}
	got, err := merged(t, readers[1].Piece(0), readers[0].Piece(0))
	if err != nil || len(got) != 3 || got[0].Identity.Producer != 0 || got[1].At != 3e9 || got[2].At != 4e9 || got[2].Kind != history.End {
		t.Error(got, err)
	}
}

// Who stops reading leaves nothing behind.
func TestMergeStops(t *testing.T) {
	var open int
	endless := func(producer uint32) iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			open++
			defer func() { open-- }()
			for at := int64(1); yield(sendOf(3, producer, at)); at++ {
			}
		}
	}
	m, err := history.Merge(history.Piece{Events: endless(1)}, history.Piece{Events: endless(2)})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range m.Events() {
		if n++; n == 100 {
			break
		}
	}
	if open != 0 || m.Err() != nil {
		t.Errorf("%d are still read; %v", open, m.Err())
	}
}

func BenchmarkMerge(b *testing.B) {
	pieces := make([]history.Piece, 4)
	for i := range pieces {
		pieces[i].Events = func(yield func(history.Event) bool) {
			for at := range int64(b.N/4 + 1) {
				if !yield(sendOf(3, uint32(i), at+1)) {
					return
				}
			}
		}
	}
	m, err := history.Merge(pieces...)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for range m.Events() {
		n++
	}
	if n < b.N || m.Err() != nil {
		b.Fatal(n, m.Err())
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
