package history_test

import (
	"bytes"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// create makes a history in a folder of the test.
func create(tb testing.TB, h history.Header) *history.Writer {
	tb.Helper()
	w, err := history.Create(filepath.Join(tb.TempDir(), "history"), h)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.Close() })
	return w
}

// written returns the bytes of a history with these events.
func written(tb testing.TB, h history.Header, events ...history.Event) []byte {
	tb.Helper()
	f := &memoryFile{}
	w, err := history.NewWriter("in memory", f, h)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range events {
		w.Record(e)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return f.Bytes()
}

// memoryFile is a file that keeps what it gets.
type memoryFile struct{ bytes.Buffer }

func (*memoryFile) Sync() error  { return nil }
func (*memoryFile) Close() error { return nil }

// read reads the bytes of a history.
func read(b []byte) (events []history.Event, warning string, err error) {
	r, err := history.NewReader("in memory", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, "", err
	}
	events = slices.Collect(r.Events())
	return events, r.Warning(), r.Err()
}

// same compares events, also where a Value is not a number.
func same() cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
}

// anyEvent draws an event of any kind with any fields, not only those that its kind uses.
func anyEvent() *rapid.Generator[history.Event] {
	return rapid.Custom(func(t *rapid.T) history.Event {
		name := func(label string) string {
			return rapid.OneOf(rapid.SampledFrom([]string{"", "a", "producer-1", "producer-2", "billing"}), rapid.String()).Draw(t, label)
		}
		e := history.Event{
			Kind:      history.Kind(rapid.Uint8Range(uint8(history.Invoke), uint8(history.Gap)).Draw(t, "kind")),
			Outcome:   queue.Outcome(rapid.Uint8Range(0, 2).Draw(t, "outcome")),
			Damage:    history.Damage(rapid.Uint8Range(0, 3).Draw(t, "damage")),
			Ack:       rapid.Bool().Draw(t, "ack"),
			Duplicate: rapid.Bool().Draw(t, "duplicate"),
			Back:      rapid.Uint32().Draw(t, "back"),
			Attempt:   rapid.Int32().Draw(t, "attempt"),
			Partition: rapid.Int32().Draw(t, "partition"),
			At:        rapid.Int64Min(1).Draw(t, "at"),
			Intended:  rapid.Int64().Draw(t, "intended"),
			Offset:    rapid.Int64().Draw(t, "offset"),
			Claim:     rapid.Int64().Draw(t, "claim"),
			Value:     rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, 4096, -3, math.Inf(1), math.NaN(), math.Copysign(0, -1), 1 << 53, math.MaxFloat64})).Draw(t, "value"),
			Client:    name("client"), Group: name("group"), Name: name("name"), Node: name("node"), Detail: name("detail"),
		}
		if rapid.Bool().Draw(t, "about a message") {
			e.Identity = queue.Identity{
				Run: rapid.Uint32Max(2).Draw(t, "run"), Producer: rapid.Uint32().Draw(t, "producer"),
				Epoch: rapid.Uint16Max(2).Draw(t, "epoch"), Stream: rapid.Uint16().Draw(t, "stream"),
				Seq: rapid.OneOf(rapid.Uint64Max(5), rapid.Uint64()).Draw(t, "seq"),
			}
		}
		return e
	})
}

// inOrder sorts events by their time, as in any history.
func inOrder(events []history.Event) []history.Event {
	slices.SortStableFunc(events, func(a, b history.Event) int { return int(min(max(a.At-b.At, -1), 1)) })
	return events
}

func values[T any](s iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range s {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

func write(tb testing.TB, b []byte) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "history")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
