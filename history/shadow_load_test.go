package history_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// Several senders and several members of two groups at once: nothing is lost or accused, with one content for all, too.
func TestShadowConcurrently(t *testing.T) {
	const producers, consumers, each = 4, 3, 200
	for _, mode := range []history.ShadowMode{history.ByPosition, history.ByID, history.ByContent} {
		for _, same := range []bool{false, true} {
			if same && mode == history.ByID {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				s := newShadow(t, history.ShadowConfig{Mode: mode}, memory.New(memory.Config{Keep: true}))
				message := func(i int) queue.Message {
					m := numbered(i)
					m.Key = ""
					if same {
						m.Body = []byte("tick")
					}
					return m
				}
				var all sync.WaitGroup
				for p := range producers {
					all.Go(func() { produceAll(t, s, p*each, each, message) })
				}
				for g := range 2 {
					for range consumers {
						all.Go(func() { consumeAll(t, s, fmt.Sprint("group-", g)) })
					}
				}
				all.Wait()
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
				r := s.judge(oracle.Contract{Delivery: oracle.AtLeastOnce}, "group-0", "group-1")
				if r.Verdict != oracle.Pass || r.Counts.Acked != producers*each || r.Counts.Processed != 2*producers*each {
					t.Errorf("by %v, same %v: %s %q %+v", mode, same, r.Verdict, r.Reasons, r.Counts)
				}
			})
		}
	}
}

func produceAll(t *testing.T, s shade, from, n int, message func(int) queue.Message) {
	p, err := s.Producer(t.Context(), "orders")
	if err != nil {
		t.Error(err)
		return
	}
	for i := 0; i < n; i += 10 {
		var batch []queue.Message
		for k := range 10 {
			batch = append(batch, message(from+i+k))
		}
		queue.Send(t.Context(), p, batch...)
	}
}

// consumeAll works on what comes until nothing comes for a while; every seventh delivery is given back the first time.
func consumeAll(t *testing.T, s shade, group string) {
	c, err := s.Consumer(t.Context(), "orders", group)
	if err != nil {
		t.Error(err)
		return
	}
	for n := 0; ; {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		ds, err := c.Receive(ctx, 5)
		cancel()
		if err != nil {
			return
		}
		for i := range ds {
			if n++; n%7 == 0 && ds[i].Attempt == 1 {
				c.Settle(t.Context(), queue.Nack(0), ds[i:i+1])
				continue
			}
			if err := s.Processed(&ds[i], "consumer"); err != nil {
				t.Error(err)
			}
			c.Settle(t.Context(), queue.Ack(), ds[i:i+1])
		}
	}
}

// BenchmarkShadow is what recording costs beyond the memory queue itself: a send, its result, a delivery, the work and the ack of
// messages with a body of 512 bytes, in batches of 64. B/msg is what is remembered of a message.
func BenchmarkShadow(b *testing.B) {
	const batch = 64
	run := func(b *testing.B, q queue.Queue, processed func(*queue.Delivery), same bool) {
		p, err := q.Producer(context.Background(), "orders")
		if err != nil {
			b.Fatal(err)
		}
		c, err := q.Consumer(context.Background(), "orders", "billing")
		if err != nil {
			b.Fatal(err)
		}
		messages := make([]queue.Message, batch)
		b.ReportAllocs()
		b.ResetTimer()
		for i := 0; i < b.N; i += batch {
			for k := range messages {
				messages[k] = queue.Message{Key: "k", Body: make([]byte, 512)}
				if !same {
					id := fmt.Sprint(i + k)
					copy(messages[k].Body, id)
					messages[k].Headers = []queue.Header{{Key: "id", Value: id}}
				}
			}
			queue.Send(context.Background(), p, messages...)
			for left := batch; left > 0; {
				ds, err := c.Receive(context.Background(), left)
				if err != nil {
					b.Fatal(err)
				}
				for k := range ds {
					processed(&ds[k])
				}
				c.Settle(context.Background(), queue.Ack(), ds)
				left -= len(ds)
			}
		}
	}
	b.Run("not recorded", func(b *testing.B) {
		run(b, memory.New(memory.Config{}), func(*queue.Delivery) {}, false)
	})
	for _, mode := range []history.ShadowMode{history.ByPosition, history.ByID, history.ByContent} {
		for _, same := range []bool{false, true} {
			if same && mode == history.ByID {
				continue
			}
			b.Run(fmt.Sprintf("%v, same %v", mode, same), func(b *testing.B) {
				c := history.ShadowConfig{Mode: mode, Recorder: discard{}, Run: 1, Start: time.Now()}
				if mode == history.ByID {
					c.Expression = expression(b, "header.id")
				}
				s, err := history.NewShadow(c)
				if err != nil {
					b.Fatal(err)
				}
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				run(b, queue.Wrap(memory.New(memory.Config{}), s.Hooks()), func(d *queue.Delivery) {
					if err := s.Processed(d, "consumer"); err != nil {
						b.Fatal(err)
					}
				}, same)
				b.StopTimer()
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(min(b.N, 1<<20)), "B/msg")
				runtime.KeepAlive(s)
			})
		}
	}
}

// discard is a Recorder that keeps nothing.
type discard struct{}

func (discard) Record(history.Event) {}
