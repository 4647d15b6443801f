package memory_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

func open(tb testing.TB, c memory.Config) (*memory.Queue, queue.Producer, queue.Consumer) {
	tb.Helper()
	q := memory.New(c)
	tb.Cleanup(func() { _ = q.Close(context.Background()) })
	p, err := q.Producer(tb.Context(), "orders")
	if err != nil {
		tb.Fatal(err)
	}
	return q, p, consumer(tb, q, "workers")
}

func consumer(tb testing.TB, q queue.Queue, group string) queue.Consumer {
	tb.Helper()
	c, err := q.Consumer(tb.Context(), "orders", group)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func batch(n int) []queue.Message {
	ms := make([]queue.Message, n)
	for i := range ms {
		ms[i] = queue.Message{ID: fmt.Sprint("m", i), Key: "k", Body: make([]byte, 512), Headers: []queue.Header{{Key: "A", Value: "b"}}}
	}
	return ms
}

// One message of 512 bytes, produced, received and acked, in batches of n.
func BenchmarkCycle(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("batch=", n), func(b *testing.B) {
			ctx := context.Background()
			_, p, c := open(b, memory.Config{})
			ms := batch(n)
			done := func(_ int, r queue.Result) {
				if r.Err != nil {
					b.Error(r.Err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += n {
				p.Produce(ctx, ms, done)
				ds, err := c.Receive(ctx, n)
				if err != nil || len(ds) != n || c.Settle(ctx, queue.Ack(), ds) != nil {
					b.Fatal(len(ds), err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// The same, with a producer and a consumer side by side.
func BenchmarkStream(b *testing.B) {
	const n = 64
	ctx := context.Background()
	_, p, c := open(b, memory.Config{})
	ms := batch(n)
	b.ReportAllocs()
	b.ResetTimer()
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := 0; i < b.N; i += n {
			p.Produce(ctx, ms, func(_ int, r queue.Result) {
				if r.Err != nil {
					b.Error(r.Err)
				}
			})
		}
	})
	for got := 0; got < b.N; {
		ds, err := c.Receive(ctx, n)
		if err != nil || c.Settle(ctx, queue.Ack(), ds) != nil {
			b.Fatal(err)
		}
		got += len(ds)
	}
	sending.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
