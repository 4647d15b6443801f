package history_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// What is read from another topic than its message's own says so, also where all topics have the same stream number.
func TestDeliveriesFromElsewhereSayWhere(t *testing.T) {
	for name, stream := range map[string]func(string) uint16{"hashed": nil, "one number": func(string) uint16 { return 0 }} {
		t.Run(name, func(t *testing.T) {
			var receipts []any
			q := record(history.Config{Stream: stream}, queue.Hooks{
				Settle: func(ctx context.Context, _ *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
					for _, d := range ds {
						receipts = append(receipts, d.Receipt)
					}
					return next(ctx, how, ds)
				},
			})
			ctx := t.Context()
			orders, dead := q.consumer(t, "orders", "billing"), q.consumer(t, "dead", "people")
			queue.Send(ctx, q.producer(t, "orders"), queue.Message{ID: "a"})
			moved := receive(t, orders, 1)
			bridge := q.producer(t, "dead")
			queue.Send(ctx, bridge, moved[0].Message, queue.Message{ID: "dead's own"})
			ds := slices.Concat(moved, receive(t, dead, 2))
			for i, c := range []queue.Consumer{orders, dead, dead} {
				q.memory.Record(history.ProcessedEvent(&ds[i], "x", 7))
				if errs := c.Settle(ctx, queue.Ack(), ds[i:i+1]); errs != nil {
					t.Error(errs)
				}
			}
			want := map[string]string{"orders/0": "", "dead/0": "dead", "own": ""}
			first := ds[0].Headers[0]
			for _, e := range q.of(history.Deliver, history.Processed, history.Settle) {
				at := "own"
				switch {
				case e.Identity.Producer == 1 && e.Group == "billing":
					at = "orders/0"
				case e.Identity.Producer == 1:
					at = "dead/0"
				}
				if e.Name != want[at] {
					t.Errorf("%s: %v has the name %q, want %q", at, e.Kind, e.Name, want[at])
				}
			}
			if ds[1].Headers[0] != first || len(receipts) != 3 {
				t.Error(ds[1].Headers, receipts)
			}
		})
	}
}

// The application settles as many at once as it likes; what it holds is not changed by that.
func TestSettlingFromElsewhereLeavesTheDeliveries(t *testing.T) {
	q := record(history.Config{})
	ctx := t.Context()
	orders, dead := q.consumer(t, "orders", "billing"), q.consumer(t, "dead", "people")
	queue.Send(ctx, q.producer(t, "orders"), queue.Message{ID: "a"}, queue.Message{ID: "b"})
	moved := receive(t, orders, 2)
	queue.Send(ctx, q.producer(t, "dead"), queue.Message{ID: "c"}, moved[0].Message, moved[1].Message)
	ds := receive(t, dead, 3)
	for i, e := range q.of(history.Deliver)[2:] {
		if want := []string{"", "dead", "dead"}[i]; e.Name != want {
			t.Errorf("delivery %d of one batch has the name %q, want %q", i, e.Name, want)
		}
	}
	before := slices.Clone(ds)
	if errs := dead.Settle(ctx, queue.Ack(), ds); errs != nil {
		t.Fatal(errs)
	}
	for i := range ds {
		if ds[i].Receipt != before[i].Receipt {
			t.Errorf("the receipt of delivery %d is another one now", i)
		}
	}
	if errs := dead.Settle(ctx, queue.Ack(), ds); len(errs) != 3 || !errors.Is(errs[2], queue.ErrStale) {
		t.Errorf("a second ack: %v", errs)
	}
}

// Streams have the same number in every process.
func TestStreamsByDefault(t *testing.T) {
	numbers := map[uint16]bool{}
	for range 2 {
		q := record(history.Config{})
		for _, topic := range []string{"orders", "invoices", "dead.billing"} {
			queue.Send(t.Context(), q.producer(t, topic), queue.Message{})
		}
		for _, e := range q.of(history.Invoke) {
			numbers[e.Identity.Stream] = true
		}
	}
	if len(numbers) != 3 {
		t.Error(numbers)
	}
}
