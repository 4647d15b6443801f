package history_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
)

// oneByOne takes events with Record alone.
type oneByOne struct{ events []history.Event }

func (o *oneByOne) Record(e history.Event) { o.events = append(o.events, e) }

// A batch is what its events are one by one, wherever it is cut, and for every recorder.
func TestABatchIsItsEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := inOrder(rapid.SliceOfN(anyEvent(), 0, 60).Draw(t, "events"))
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(events)), 0, 4).Draw(t, "cuts")
		slices.Sort(cuts)
		header := history.Header{Run: 1, Start: time.Unix(1_700_000_000, 0)}
		var one, many memoryFile
		single, err := history.NewWriter("in memory", &one, header)
		if err != nil {
			t.Fatal(err)
		}
		batches, err := history.NewWriter("in memory", &many, header)
		if err != nil {
			t.Fatal(err)
		}
		var kept history.Memory
		var old oneByOne
		all := history.Tee(batches, &kept, &old)
		for _, e := range events {
			single.Record(e)
		}
		from := 0
		for _, to := range append(cuts, len(events)) {
			history.RecordAll(all, slices.Clone(events[from:to]))
			from = to
		}
		if err := single.Close(); err != nil {
			t.Fatal(err)
		}
		if err := batches.Close(); err != nil {
			t.Fatal(err)
		}
		singles, _, err := read(one.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		inBatches, _, err := read(many.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(singles, inBatches, same()); diff != "" {
			t.Fatal(diff)
		}
		for name, got := range map[string][]history.Event{"memory": slices.Collect(kept.Events()), "a recorder without batches": old.events} {
			if diff := cmp.Diff(events, got, same(), equateEmpty()); diff != "" {
				t.Fatal(name, diff)
			}
		}
	})
}

func equateEmpty() cmp.Option {
	return cmp.Transformer("length", func(e []history.Event) []history.Event {
		if len(e) == 0 {
			return nil
		}
		return e
	})
}

// Events without a time get one, the same in a batch, and never one before the last.
func TestABatchIsStampedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &history.Memory{Start: time.Now()}
		w := create(t, history.Header{Run: 1})
		defer w.Close()
		for name, r := range map[string]history.Recorder{"memory": m, "tee": history.Tee(m, &oneByOne{}), "writer": w} {
			before := len(slices.Collect(m.Events()))
			bubble.Sleep(time.Second)
			at := m.Now()
			batch := []history.Event{{Kind: history.Note}, {Kind: history.Note, At: at + 5}, {Kind: history.Note}}
			history.RecordAll(r, batch)
			got := batch
			if r != w {
				got = slices.Collect(m.Events())[before:]
			}
			if got[0].At != at || got[1].At != at+5 || got[2].At != at+5 {
				t.Errorf("%s: %d, %d, %d, want %d, then 5 more twice", name, got[0].At, got[1].At, got[2].At, at)
			}
		}
	})
}

// What a judge cannot do without reaches the system also from the middle of a batch.
func TestABatchWithAnUrgentEventIsWrittenAtOnce(t *testing.T) {
	f := &memoryFile{}
	w, err := history.NewWriter("in memory", f, history.Header{Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	before := f.Len()
	w.RecordBatch([]history.Event{{Kind: history.Note}, {Kind: history.Phase, Name: "chaos"}, {Kind: history.Note}})
	events, _, err := read(f.Bytes())
	if f.Len() == before || len(events) != 3 || err != nil {
		t.Errorf("%d events are in the file, %v", len(events), err)
	}
}

// A batch with an event that cannot be recorded keeps the others, and is an error.
func TestABatchWithABadEvent(t *testing.T) {
	f := &memoryFile{}
	w, err := history.NewWriter("in memory", f, history.Header{Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.RecordBatch([]history.Event{{Kind: history.Note}, {Kind: 99}, {Kind: history.Note}, {Kind: history.End}})
	if err := w.Close(); err == nil {
		t.Error("the bad event is no error")
	}
	if events, _, err := read(f.Bytes()); len(events) != 2 || err != nil {
		t.Errorf("%d events, %v; want the two notes, and no end", len(events), err)
	}
}

// A batch of any size costs at most two allocations a message and one a batch, on its whole way.
func TestAllocations(t *testing.T) {
	ctx := context.Background()
	for _, n := range []int{1, 2, 3, 100, 1000} {
		w := create(t, history.Header{Run: 1})
		inner := &mirror{}
		q := queue.Wrap(inner, history.Hooks(history.Config{Recorder: w, Run: 1, Start: w.Start()}))
		p, _ := q.Producer(ctx, "orders")
		c, _ := q.Consumer(ctx, "orders", "billing")
		messages := make([]queue.Message, n)
		for i := range messages {
			messages[i] = queue.Message{ID: fmt.Sprint(i), Key: fmt.Sprint(i % 7), Body: []byte("body")}
		}
		ready := make([]queue.Delivery, 0, n)
		got := testing.AllocsPerRun(200, func() {
			inner.ready = ready
			p.Produce(ctx, messages, func(int, queue.Result) {})
			ds, _ := c.Receive(ctx, n)
			for i := range ds {
				w.Record(history.ProcessedEvent(&ds[i], "consumer-1", 1))
			}
			c.Settle(ctx, queue.Ack(), ds)
		})
		limit := float64(2*n + 1)
		if poolsForget {
			limit++
		}
		if got > limit {
			t.Errorf("a batch of %d costs %.0f allocations, %.0f are allowed", n, got, limit)
		}
		t.Logf("%d: %.0f", n, got)
	}
}
