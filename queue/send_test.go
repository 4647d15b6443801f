package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backwards confirms a batch from its end, in a goroutine.
type backwards struct{ stubProducer }

func (backwards) Produce(_ context.Context, batch []queue.Message, done func(int, queue.Result)) {
	go func() {
		for i := len(batch) - 1; i >= 0; i-- {
			done(i, queue.Result{Offset: int64(10 + i)})
		}
	}()
}

func TestSendKeepsTheOrderOfTheMessages(t *testing.T) {
	rs := queue.Send(t.Context(), backwards{}, make([]queue.Message, 5)...)
	for i, r := range rs {
		if r.Offset != int64(10+i) {
			t.Errorf("result %d is %+v", i, r)
		}
	}
	if len(rs) != 5 || len(queue.Send(t.Context(), backwards{})) != 0 {
		t.Errorf("%d results for 5 messages", len(rs))
	}
}

func TestOutcomeOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want queue.Outcome
		text string
	}{
		{nil, queue.OK, "ok"},
		{queue.ErrRefused, queue.Failed, "failed"},
		{fmt.Errorf("nats: %w: stream is full", queue.ErrRefused), queue.Failed, "failed"},
		{queue.ErrClosed, queue.Failed, "failed"},
		{errors.Join(context.Canceled, queue.ErrRefused), queue.Failed, "failed"},
		{queue.ErrUnconfirmed, queue.Unknown, "unknown"},
		{queue.ErrStale, queue.Unknown, "unknown"},
		{context.DeadlineExceeded, queue.Unknown, "unknown"},
		{errors.New("anything else"), queue.Unknown, "unknown"},
	} {
		if got := queue.OutcomeOf(c.err); got != c.want || got.String() != c.text {
			t.Errorf("outcome of %v is %v, want %v", c.err, got, c.want)
		}
	}
	var zero queue.Outcome
	if zero != queue.Unknown {
		t.Errorf("the zero outcome is %v", zero)
	}
}

// scripted returns one answer after the other.
type scripted struct {
	stubConsumer
	answers *[]any // error or ID
}

func (s scripted) Receive(_ context.Context, max int) ([]queue.Delivery, error) {
	next := (*s.answers)[0]
	*s.answers = (*s.answers)[1:]
	if err, ok := next.(error); ok {
		return nil, err
	}
	return []queue.Delivery{{Message: queue.Message{ID: next.(string)}}}, nil
}

func TestDeliveries(t *testing.T) {
	cut := errors.New("connection cut")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		answers []any
		stop    string // break at this ID
		want    []string
	}{
		{"until closed", t.Context(), []any{"a", "b", queue.ErrClosed, "never"}, "", []string{"a", "b", "session closed: refused"}},
		{"errors in between", t.Context(), []any{"a", cut, "b", queue.ErrClosed}, "", []string{"a", "connection cut", "b", "session closed: refused"}},
		{"a refusal that is no end", t.Context(), []any{queue.ErrRefused, "b", queue.ErrClosed}, "", []string{"refused", "b", "session closed: refused"}},
		{"until the context ends", ended, []any{"a", context.Canceled, "never"}, "", []string{"a", "context canceled"}},
		{"until a break", t.Context(), []any{"a", "b", "never"}, "b", []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for d, err := range queue.Deliveries(c.ctx, scripted{answers: &c.answers}) {
				if err != nil {
					got = append(got, err.Error())
					continue
				}
				got = append(got, d.ID)
				if d.ID == c.stop {
					break
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	if queue.Ack() != (queue.Settlement{Ack: true}) || queue.Nack(3) != (queue.Settlement{After: 3}) {
		t.Error("Ack or Nack is not what it says")
	}
	for d, want := range map[queue.Depth]int64{{}: 0, {Ready: 2, InFlight: 3}: 5, {Ready: -1, InFlight: 3}: -1, {Ready: 2, InFlight: -1}: -1} {
		if d.Total() != want {
			t.Errorf("total of %+v is %d, want %d", d, d.Total(), want)
		}
	}
	m := queue.Message{Headers: []queue.Header{{Key: "A", Value: "1"}, {Key: "A", Value: "2"}}}
	if v, ok := m.Header("A"); !ok || v != "1" {
		t.Errorf("first header %q, %v", v, ok)
	}
	if _, ok := m.Header("a"); ok {
		t.Error("header keys differ by case")
	}
	orders := []queue.Order{queue.OrderNone, queue.OrderKey, queue.OrderPartition, queue.OrderTopic}
	if got := fmt.Sprintf("%v", orders); got != "[none key partition topic]" {
		t.Errorf("orders are called %s", got)
	}
}

// A producer, a consumer, and the three things that can be known of a send.
func Example() {
	ctx := context.Background()
	q := memory.New(memory.Config{MaxMessages: 2})
	defer q.Close(ctx)

	c, err := q.Consumer(ctx, "orders", "billing")
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := q.Producer(ctx, "orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	results := queue.Send(ctx, p,
		queue.Message{ID: "1", Key: "ann", Body: []byte("two pencils")},
		queue.Message{ID: "2", Key: "bob", Body: []byte("an eraser")},
		queue.Message{ID: "3", Key: "ann", Body: []byte("a ruler")}, // more than the queue holds
	)
	for i, r := range results {
		fmt.Println("sent", i+1, queue.OutcomeOf(r.Err))
	}
	for d, err := range queue.Deliveries(ctx, c) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("received", d.ID, string(d.Body), "attempt", d.Attempt)
		if errs := c.Settle(ctx, queue.Ack(), []queue.Delivery{d}); errs != nil {
			fmt.Println(errs)
		}
		if d.ID == "2" {
			break
		}
	}
	// Output:
	// sent 1 ok
	// sent 2 ok
	// sent 3 failed
	// received 1 two pencils attempt 1
	// received 2 an eraser attempt 1
}
