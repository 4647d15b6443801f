package memory_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// A message that wakes a consumer which leaves at that moment, by its context or by Close, goes to the next.
func TestWakeUpIsPassedOn(t *testing.T) {
	leave := map[string]func(c queue.Consumer, cancel func()){
		"cancel": func(_ queue.Consumer, cancel func()) { cancel() },
		"close":  func(c queue.Consumer, _ func()) { _ = c.Close(context.Background()) },
	}
	for how, leave := range leave {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, p, _ := open(t, memory.Config{})
				last := consumer(t, q, "workers")
				for i := range 200 {
					first := consumer(t, q, "workers")
					ctx, cancel := context.WithCancel(t.Context())
					var running sync.WaitGroup
					running.Go(func() {
						if ds, err := first.Receive(ctx, 1); err == nil {
							_ = first.Settle(t.Context(), queue.Nack(0), ds) // or Close has given it back
						}
					})
					synctest.Wait() // first waits before last does
					var ds []queue.Delivery
					running.Go(func() { ds, _ = last.Receive(t.Context(), 1) })
					synctest.Wait()
					if i%2 == 0 {
						leave(first, cancel)
					}
					must(t, queue.Send(t.Context(), p, named("a")...))
					if i%2 == 1 {
						leave(first, cancel)
					}
					running.Wait()
					settle(t, last, queue.Ack(), ds...)
					cancel()
					_ = first.Close(t.Context())
				}
			})
		})
	}
}

// Each waiting consumer gets one of a batch, and a redelivery wakes one that has nothing to do with it.
func TestEachWaiterIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, p, _ := open(t, memory.Config{AckTimeout: 5 * time.Second})
		began := time.Now()
		arrived := make(chan string, 8)
		var running sync.WaitGroup
		for range 3 {
			c := consumer(t, q, "workers")
			running.Go(func() {
				if ds, err := c.Receive(t.Context(), 1); err == nil {
					arrived <- fmt.Sprint(names(ds), ds[0].Attempt, " ", time.Since(began))
				}
			})
		}
		synctest.Wait()
		must(t, queue.Send(t.Context(), p, named("a", "b")...))
		running.Wait()
		close(arrived)
		var got []string
		for a := range arrived {
			got = append(got, a)
		}
		slices.Sort(got)
		if want := []string{"a1 0s", "a2 5s", "b1 0s"}; !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

// What one member gives back reaches another that waits, at the time it may be delivered.
func TestGivenBackWakes(t *testing.T) {
	for _, c := range []struct {
		name string
		give func(c queue.Consumer, ds []queue.Delivery)
		want time.Duration
	}{
		{"nack", func(c queue.Consumer, ds []queue.Delivery) { c.Settle(context.Background(), queue.Nack(0), ds) }, 0},
		{"nack with a delay", func(c queue.Consumer, ds []queue.Delivery) {
			c.Settle(context.Background(), queue.Nack(3*time.Second), ds)
		}, 3 * time.Second},
		{"close", func(c queue.Consumer, _ []queue.Delivery) { _ = c.Close(context.Background()) }, 0},
		{"nothing, until the ack timeout", func(queue.Consumer, []queue.Delivery) {}, memory.DefaultAckTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, p, holder := open(t, memory.Config{})
				other := consumer(t, q, "workers")
				must(t, queue.Send(t.Context(), p, named("a")...))
				ds := next(t, holder, 1)
				began := time.Now()
				var took time.Duration
				var waiting sync.WaitGroup
				waiting.Go(func() {
					if got, err := other.Receive(t.Context(), 1); err != nil || names(got) != "a" {
						t.Errorf("received %q, %v", names(got), err)
					}
					took = time.Since(began)
				})
				synctest.Wait()
				c.give(holder, ds)
				waiting.Wait()
				if took != c.want {
					t.Errorf("the other member received it after %v, want %v", took, c.want)
				}
			})
		})
	}
}

// A consumer that has left is not woken in the place of one that waits.
func TestCancelledReceiveIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, p, first := open(t, memory.Config{})
		last := consumer(t, q, "workers")
		if ds := next(t, first, 1); ds != nil { // waits a second
			t.Fatal(names(ds))
		}
		time.AfterFunc(time.Second/2, func() { queue.Send(t.Context(), p, named("a")...) })
		began := time.Now()
		if ds := next(t, last, 1); names(ds) != "a" || time.Since(began) != time.Second/2 {
			t.Errorf("received %q after %v", names(ds), time.Since(began))
		}
	})
}
