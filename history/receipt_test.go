package history_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// settled collects the receipts that the queue beneath gets back.
func settled(receipts *[]any) queue.Hooks {
	var mu sync.Mutex
	return queue.Hooks{
		Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, most)
			for i := range ds {
				ds[i].Receipt = ds[i].ID
			}
			return ds, err
		},
		Settle: func(_ context.Context, _ *queue.Session, _ queue.Settlement, ds []queue.Delivery, _ queue.SettleFunc) []error {
			mu.Lock()
			defer mu.Unlock()
			for i := range ds {
				*receipts = append(*receipts, ds[i].Receipt)
			}
			return nil
		},
	}
}

// The queue beneath gets its own receipts back, in whatever portions and however often the application settles, and knows nothing
// of a delivery that did not pass the hooks.
func TestTheDriverGetsItsReceipts(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 9, 2000} {
		var receipts []any
		q := record(history.Config{}, settled(&receipts))
		p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
		batch := make([]queue.Message, n)
		for i := range batch {
			batch[i].ID = fmt.Sprint(i)
		}
		queue.Send(t.Context(), p, batch...)
		ds := receive(t, c, n)
		before := slices.Clone(ds)
		own := queue.Delivery{Message: queue.Message{ID: "own"}, Receipt: "own"}
		for _, part := range [][]queue.Delivery{ds[:1], ds, ds[n/2:], {own}} {
			receipts = nil
			if errs := c.Settle(t.Context(), queue.Ack(), part); errs != nil {
				t.Fatal(errs)
			}
			for i := range part {
				if len(receipts) != len(part) || receipts[i] != part[i].ID {
					t.Fatalf("%d of %d: the driver gets the receipt %v, want %v", i, len(part), receipts, part[i].ID)
				}
			}
		}
		for i := range ds {
			if ds[i].Receipt != before[i].Receipt {
				t.Fatalf("the application's receipt %d has changed", i)
			}
		}
	}
}

// What was received is known by its receipt, also after the application has changed its copy of the message.
func TestADeliveryIsKnownByItsReceipt(t *testing.T) {
	q := record(history.Config{})
	p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
	queue.Send(t.Context(), p, make([]queue.Message, 5)...)
	ds := receive(t, c, 5)
	for i := range ds {
		ds[i].Headers = nil
		for run, want := range map[uint32]history.Damage{7: history.Sound, 8: history.Foreign} {
			if e := history.ProcessedEvent(&ds[i], "x", run); e.Damage != want || e.Identity.Seq != uint64(i) {
				t.Errorf("%d, for run %d: %+v", i, run, e)
			}
		}
	}
	c.Settle(t.Context(), queue.Ack(), ds)
	for i, e := range q.of(history.Settle) {
		if e.Identity.Seq != uint64(i) || e.Damage != history.Sound {
			t.Errorf("%+v", e)
		}
	}
}

func TestSettlingAtOnce(t *testing.T) {
	var receipts []any
	q := record(history.Config{}, settled(&receipts))
	p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
	const n = 400
	batch := make([]queue.Message, n)
	for i := range batch {
		batch[i].ID = fmt.Sprint(i)
	}
	queue.Send(t.Context(), p, batch...)
	ds := receive(t, c, n)
	var all sync.WaitGroup
	for from := 0; from < n; from += 10 {
		all.Go(func() { c.Settle(t.Context(), queue.Ack(), ds[from:from+10]) })
	}
	all.Wait()
	seen := map[any]int{}
	for _, r := range receipts {
		seen[r]++
	}
	if len(seen) != n || len(receipts) != n {
		t.Errorf("%d different ones of %d receipts", len(seen), len(receipts))
	}
}
