package history_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// mirror is a queue that hands every sealed message straight back, and costs next to nothing.
type mirror struct{ ready []queue.Delivery }

func (q *mirror) Producer(context.Context, string) (queue.Producer, error)         { return q, nil }
func (q *mirror) Consumer(context.Context, string, string) (queue.Consumer, error) { return q, nil }
func (q *mirror) Depth(context.Context, string, string) (queue.Depth, error) {
	return queue.Depth{}, nil
}
func (q *mirror) Caps() queue.Caps {
	return queue.Caps{Driver: "mirror", ConfirmedSend: true, ConfirmedAck: true}
}
func (q *mirror) Close(context.Context) error { return nil }

func (q *mirror) Produce(_ context.Context, batch []queue.Message, done func(int, queue.Result)) {
	for i := range batch {
		q.ready = append(q.ready, queue.Delivery{Message: batch[i], Topic: "orders", Group: "billing", Attempt: 1, Offset: int64(i)})
		done(i, queue.Result{Partition: -1, Offset: int64(i)})
	}
}

func (q *mirror) Receive(_ context.Context, most int) ([]queue.Delivery, error) {
	n := min(most, len(q.ready))
	ds := q.ready[:n:n]
	q.ready = q.ready[n:]
	if len(q.ready) == 0 {
		q.ready = nil
	}
	return ds, nil
}

func (q *mirror) Settle(context.Context, queue.Settlement, []queue.Delivery) []error { return nil }

// BenchmarkRecord records the whole life of messages of 512 bytes to a file: invoke, outcome, deliver, processed, settle. The
// queue beneath costs "bare"; the difference is the price of recording.
func BenchmarkRecord(b *testing.B) {
	const batch = 100
	run := func(b *testing.B, wrap func(queue.Queue) queue.Queue, record func(history.Event)) {
		ctx := context.Background()
		inner := &mirror{ready: make([]queue.Delivery, 0, batch)}
		q := wrap(inner)
		p, _ := q.Producer(ctx, "orders")
		c, _ := q.Consumer(ctx, "orders", "billing")
		messages := make([]queue.Message, batch)
		for i := range messages {
			messages[i] = queue.Message{ID: fmt.Sprintf("m-%d", i), Key: fmt.Sprintf("key-%d", i%64), Body: make([]byte, 512)}
		}
		done := func(int, queue.Result) {}
		b.ReportAllocs()
		b.ResetTimer()
		for n := 0; n < b.N; n += batch {
			inner.ready = make([]queue.Delivery, 0, batch)
			p.Produce(ctx, messages, done)
			ds, _ := c.Receive(ctx, batch)
			for i := range ds {
				if record != nil {
					record(history.ProcessedEvent(&ds[i], "consumer-1", 1))
				}
			}
			c.Settle(ctx, queue.Ack(), ds)
		}
	}
	b.Run("bare", func(b *testing.B) { run(b, func(q queue.Queue) queue.Queue { return q }, nil) })
	b.Run("recorded", func(b *testing.B) {
		w := create(b, history.Header{Run: 1})
		run(b, func(q queue.Queue) queue.Queue {
			return queue.Wrap(q, history.Hooks(history.Config{Recorder: w, Run: 1, Start: w.Start()}))
		}, w.Record)
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	})
}

// life returns the events of the i-th message.
func life(i int) [5]history.Event {
	id := queue.Identity{Run: 1, Producer: uint32(i%4) + 1, Stream: 7, Seq: uint64(i / 4)}
	producer := [...]string{"producer-1", "producer-2", "producer-3", "producer-4"}[i%4]
	consumer := [...]string{"consumer-1", "consumer-2"}[i%2]
	at := int64(i)*10_000 + 1
	return [5]history.Event{
		{Kind: history.Invoke, At: at, Intended: at - 1500, Identity: id, Back: 16, Attempt: 1, Client: producer},
		{Kind: history.Outcome, At: at + 1000, Identity: id, Attempt: 1, Outcome: queue.OK, Offset: int64(i), Partition: -1, Client: producer},
		{Kind: history.Deliver, At: at + 2000, Intended: at - 1500, Identity: id, Back: 16, Attempt: 1, Offset: int64(i), Client: consumer, Group: "billing"},
		{Kind: history.Processed, At: at + 3000, Identity: id, Client: consumer, Group: "billing"},
		{Kind: history.Settle, At: at + 4000, Identity: id, Ack: true, Outcome: queue.OK, Client: consumer, Group: "billing"},
	}
}

// BenchmarkWrite writes events that are ready, to a file.
func BenchmarkWrite(b *testing.B) {
	w := create(b, history.Header{Run: 1})
	b.ReportAllocs()
	for n := 0; n < b.N; n += 5 {
		for _, e := range life(n / 5) {
			w.Record(e)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRead is one pass over a file of 500,000 events.
func BenchmarkRead(b *testing.B) {
	const messages = 100_000
	path := filepath.Join(b.TempDir(), "history")
	w, err := history.Create(path, history.Header{Run: 1})
	if err != nil {
		b.Fatal(err)
	}
	for i := range messages {
		for _, e := range life(i) {
			w.Record(e)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	r, err := history.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	start := time.Now()
	events := 0
	for b.Loop() {
		for range r.Events() {
			events++
		}
	}
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(events), "ns/event")
	if r.Err() != nil || r.Warning() != "" {
		b.Fatal(r.Err(), r.Warning())
	}
}
