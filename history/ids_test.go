package history_test

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func newIDs(tb testing.TB, c history.IDsConfig) *history.IDs {
	tb.Helper()
	x, err := history.NewIDs(c)
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

func TestIDs(t *testing.T) {
	x := newIDs(t, history.IDsConfig{Run: 7, Producer: 3, Epoch: 2})
	at := func(stream uint16, seq uint64) queue.Identity {
		return queue.Identity{Run: 7, Producer: 3, Epoch: 2, Stream: stream, Seq: seq}
	}
	for i, c := range []struct {
		side   func(uint16, string) (history.Sight, error)
		stream uint16
		id     string
		want   history.Sight
	}{
		{x.Input, 1, "a", history.Sight{Identity: at(1, 0), New: true}},
		{x.Output, 1, "b", history.Sight{Identity: at(1, 1), New: true}},
		{x.Output, 1, "a", history.Sight{Identity: at(1, 0), Other: true}},
		{x.Input, 2, "a", history.Sight{Identity: at(2, 0), New: true}},
		{x.Input, 1, "b", history.Sight{Identity: at(1, 1), Other: true}},
		{x.Input, 1, "b", history.Sight{Identity: at(1, 1), Other: true, Again: true}},
		{x.Input, 1, "b", history.Sight{Identity: at(1, 1), Other: true, Again: true}},
		{x.Output, 1, "c", history.Sight{Identity: at(1, 2), New: true}},
		{x.Output, 1, "c", history.Sight{Identity: at(1, 2), Again: true}},
	} {
		if got, err := c.side(c.stream, c.id); err != nil || got != c.want {
			t.Errorf("step %d: %q of stream %d is %+v, %v; want %+v", i, c.id, c.stream, got, err, c.want)
		}
	}
	want := history.IDCounts{Input: 3, Repeated: 1, Output: 3, OnlyOutput: 1, RepeatedExamples: []string{"b"}, OnlyOutputExamples: []string{"c"}}
	if diff := cmp.Diff(want, x.Counts()); diff != "" {
		t.Error(diff)
	}
	if id, ok := x.Lookup(1, "c"); !ok || id != at(1, 2) {
		t.Errorf("c is %+v, %v", id, ok)
	}
	for _, unknown := range []string{"d", "", strings.Repeat("c", history.MaxID+1)} {
		if id, ok := x.Lookup(1, unknown); ok || id != (queue.Identity{}) {
			t.Errorf("%q is %+v", unknown, id)
		}
	}
	if diff := cmp.Diff(want, x.Counts()); diff != "" {
		t.Error("a look-up counts:", diff)
	}
}

func TestIDsLimits(t *testing.T) {
	for _, limit := range []int{-1, 1<<28 + 1} {
		if _, err := history.NewIDs(history.IDsConfig{Limit: limit}); err == nil {
			t.Errorf("a limit of %d is no error", limit)
		}
	}
	x := newIDs(t, history.IDsConfig{Limit: 2})
	for _, id := range []string{"", strings.Repeat("x", history.MaxID+1)} {
		if _, err := x.Input(1, id); !errors.Is(err, history.ErrNoID) {
			t.Errorf("an ID of %d bytes: %v", len(id), err)
		}
	}
	for _, id := range []string{strings.Repeat("x", history.MaxID), "b", "b"} {
		if _, err := x.Input(1, id); err != nil {
			t.Error(err)
		}
	}
	if s, err := x.Output(2, "b"); !errors.Is(err, history.ErrTooManyIDs) || s != (history.Sight{}) {
		t.Errorf("beyond the limit: %+v, %v", s, err)
	}
	if s, err := x.Output(1, "b"); err != nil || !s.Other {
		t.Errorf("known, at the limit: %+v, %v", s, err)
	}
	if c := x.Counts(); c.Refused != 1 || c.Input != 2 || c.Output != 1 {
		t.Errorf("counts %+v", c)
	}
}

// Of many repeated IDs and many that only came out, some are kept, and none that is not so.
func TestIDsExamples(t *testing.T) {
	x := newIDs(t, history.IDsConfig{})
	for i := range 20 {
		x.Output(1, strconv.Itoa(i))
	}
	for i := range 3 {
		x.Input(1, strconv.Itoa(i))
		x.Input(1, strconv.Itoa(i))
	}
	x.Output(1, "last")
	c := x.Counts()
	if diff := cmp.Diff([]string{"3", "4", "last"}, c.OnlyOutputExamples); diff != "" || c.OnlyOutput != 18 {
		t.Errorf("%d only came out: %s", c.OnlyOutput, diff)
	}
	if diff := cmp.Diff([]string{"0", "1", "2"}, c.RepeatedExamples); diff != "" || c.Repeated != 3 {
		t.Errorf("%d repeated: %s", c.Repeated, diff)
	}
	c.OnlyOutputExamples[0] = "changed"
	if x.Counts().OnlyOutputExamples[0] != "3" {
		t.Error("the examples are shared with the caller")
	}
}

// IDs against a plain map of strings.
func TestIDsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type known struct {
			seq     uint64
			in, out int
		}
		x, err := history.NewIDs(history.IDsConfig{Run: 1, Limit: 8})
		if err != nil {
			t.Fatal(err)
		}
		model, next, refused := map[string]*known{}, map[uint16]uint64{}, int64(0)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			stream := rapid.Uint16Range(1, 2).Draw(t, "stream")
			id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "id")
			key, in := fmt.Sprint(stream, id), rapid.Bool().Draw(t, "in")
			see, k := x.Output, model[key]
			if in {
				see = x.Input
			}
			got, err := see(stream, id)
			if k == nil && len(model) == 8 {
				refused++
				if !errors.Is(err, history.ErrTooManyIDs) {
					t.Fatal(err)
				}
				continue
			}
			fresh := k == nil
			if fresh {
				k = &known{seq: next[stream]}
				model[key] = k
				next[stream]++
			}
			mine, others := &k.in, &k.out
			if !in {
				mine, others = others, mine
			}
			want := history.Sight{Identity: queue.Identity{Run: 1, Stream: stream, Seq: k.seq}, New: fresh, Again: *mine > 0, Other: *others > 0}
			if *mine++; err != nil || got != want {
				t.Fatalf("%s is %+v, %v; want %+v", key, got, err, want)
			}
		}
		want := history.IDCounts{Refused: refused}
		for _, k := range model {
			want.Input += int64(min(k.in, 1))
			want.Repeated += int64(min(k.in, 2) / 2)
			want.Output += int64(min(k.out, 1))
			if k.in == 0 {
				want.OnlyOutput++
			}
		}
		got := x.Counts()
		got.RepeatedExamples, got.OnlyOutputExamples = nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Both sides at once, from several goroutines: the numbers are dense, and both sides get the same.
func TestIDsConcurrently(t *testing.T) {
	const ids = 2000
	x := newIDs(t, history.IDsConfig{})
	var got [4][ids]queue.Identity
	var all sync.WaitGroup
	for g := range got {
		see := x.Input
		if g%2 == 1 {
			see = x.Output
		}
		all.Go(func() {
			for i := range ids {
				s, err := see(1, strconv.Itoa((i+g*ids/4)%ids))
				if err != nil {
					t.Error(err)
				}
				got[g][(i+g*ids/4)%ids] = s.Identity
			}
		})
	}
	all.Wait()
	seen := map[uint64]bool{}
	for i := range ids {
		seen[got[0][i].Seq] = true
		for g := range got {
			if got[g][i] != got[0][i] || got[0][i].Seq >= ids {
				t.Fatalf("ID %d is %+v and %+v", i, got[0][i], got[g][i])
			}
		}
	}
	if c := x.Counts(); len(seen) != ids || c.Input != ids || c.Output != ids || c.Repeated != ids || c.OnlyOutput != 0 {
		t.Errorf("%d numbers, %+v", len(seen), c)
	}
}

// BenchmarkIDs sees each ID once on each side. B/id is what is kept when all are there.
func BenchmarkIDs(b *testing.B) {
	const ids = 1 << 22
	names := make([]string, 1<<16)
	for i := range names {
		names[i] = fmt.Sprintf("order-%010d", i)
	}
	name := func(i int) string { return names[i&(len(names)-1)] }
	b.Run("sight", func(b *testing.B) {
		x := newIDs(b, history.IDsConfig{})
		b.ReportAllocs()
		for i := range b.N {
			x.Input(uint16(i>>17), name(i>>1))
			x.Output(uint16(i>>17), name(i>>1))
		}
	})
	b.Run("memory", func(b *testing.B) {
		for range b.N {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			x := newIDs(b, history.IDsConfig{})
			for i := range ids {
				x.Input(uint16(i>>16), name(i))
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/ids, "B/id")
			runtime.KeepAlive(x)
		}
	})
}
