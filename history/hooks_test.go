package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
	"github.com/havoqlab/havoq/queue/queuetest"
)

// recorded is a memory queue under recording hooks.
type recorded struct {
	queue.Queue
	memory *history.Memory
}

// record wraps a memory queue, with inner hooks between it and the recording ones.
func record(c history.Config, inner ...queue.Hooks) recorded {
	m := &history.Memory{Start: time.Now()}
	c.Recorder, c.Start, c.Run = m, m.Start, 7
	hooks := append([]queue.Hooks{history.Hooks(c)}, inner...)
	return recorded{queue.Wrap(memory.New(memory.Config{AckTimeout: time.Second, Keep: true}), hooks...), m}
}

func (r recorded) producer(t *testing.T, topic string) queue.Producer {
	t.Helper()
	p, err := r.Producer(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (r recorded) consumer(t *testing.T, topic, group string) queue.Consumer {
	t.Helper()
	c, err := r.Consumer(t.Context(), topic, group)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// receive receives exactly n deliveries.
func receive(t *testing.T, c queue.Consumer, n int) (all []queue.Delivery) {
	t.Helper()
	for len(all) < n {
		ds, err := c.Receive(t.Context(), n-len(all))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ds...)
	}
	return all
}

// of returns the recorded events of these kinds.
func (r recorded) of(kinds ...history.Kind) (events []history.Event) {
	for e := range r.memory.Events() {
		if slices.Contains(kinds, e.Kind) {
			events = append(events, e)
		}
	}
	return events
}

func TestLifeOfAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := record(history.Config{Stream: func(topic string) uint16 { return uint16(len(topic)) }})
		ctx := queue.WithClient(t.Context(), "shop")
		p, err := q.Producer(ctx, "orders")
		if err != nil {
			t.Fatal(err)
		}
		c := q.consumer(t, "orders", "billing")
		time.Sleep(time.Second)
		meant := time.Now().Add(-300 * time.Millisecond)
		queue.Send(ctx, p, queue.Message{ID: "a", Key: "k", Body: []byte("1"), Timestamp: meant}, queue.Message{ID: "b", Key: "k"})
		time.Sleep(time.Second)
		ds := receive(t, c, 2)
		q.memory.Record(history.ProcessedEvent(&ds[0], "mine", 7))
		c.Settle(ctx, queue.Ack(), ds[:1])
		c.Settle(ctx, queue.Nack(0), ds[1:])

		id := func(seq uint64) queue.Identity {
			return queue.Identity{Run: 7, Producer: 1, Stream: 6, Seq: seq}
		}
		const s, ms = int64(time.Second), int64(time.Millisecond)
		want := []history.Event{
			{Kind: history.Reserve, At: s, Identity: id(0), Value: 4096, Client: "shop", Name: "orders"},
			{Kind: history.Invoke, At: s, Identity: id(0), Attempt: 1, Intended: 700 * ms, Client: "shop"},
			{Kind: history.Invoke, At: s, Identity: id(1), Attempt: 1, Intended: s, Client: "shop", Back: 1},
			{Kind: history.Outcome, At: s, Identity: id(0), Attempt: 1, Outcome: queue.OK, Client: "shop"},
			{Kind: history.Outcome, At: s, Identity: id(1), Attempt: 1, Outcome: queue.OK, Client: "shop", Offset: 1},
			{Kind: history.Deliver, At: 2 * s, Identity: id(0), Attempt: 1, Intended: 700 * ms, Client: "consumer-1", Group: "billing"},
			{Kind: history.Deliver, At: 2 * s, Identity: id(1), Attempt: 1, Intended: s, Client: "consumer-1", Group: "billing", Back: 1, Offset: 1},
			{Kind: history.Processed, At: 2 * s, Identity: id(0), Client: "mine", Group: "billing"},
			{Kind: history.Settle, At: 2 * s, Identity: id(0), Ack: true, Outcome: queue.OK, Client: "consumer-1", Group: "billing"},
			{Kind: history.Settle, At: 2 * s, Identity: id(1), Outcome: queue.OK, Client: "consumer-1", Group: "billing"},
		}
		got := slices.Collect(q.memory.Events())
		for i := range got {
			got[i].Claim = 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The application's own messages stay as they are, also where their headers have room for one more.
func TestTheApplicationsMessageIsNotChanged(t *testing.T) {
	q := record(history.Config{})
	headers := make([]queue.Header, 1, 4)
	headers[0] = queue.Header{Key: "a", Value: "b"}
	batch := []queue.Message{{ID: "a", Headers: headers}}
	queue.Send(t.Context(), q.producer(t, "orders"), batch...)
	if len(batch[0].Headers) != 1 || headers[:2][1] != (queue.Header{}) {
		t.Fatal(headers[:2])
	}
	d := receive(t, q.consumer(t, "orders", "billing"), 1)[0]
	if _, err := queue.OpenEnvelope(&d.Message); err != nil || d.Headers[0] != headers[0] {
		t.Fatal(d.Headers, err)
	}
}

func TestDamage(t *testing.T) {
	foreign := queue.Envelope{Identity: queue.Identity{Run: 8, Producer: 3, Seq: 5}, SentAt: time.Unix(1, 0)}
	change := func(d *queue.Delivery) {
		d.Headers = slices.Clone(d.Headers)
		switch d.ID {
		case "body":
			d.Body = []byte("changed")
		case "envelope":
			text := []byte(d.Headers[0].Value)
			text[5] ^= 3
			d.Headers[0].Value = string(text)
		case "none":
			d.Headers = nil
		case "other run":
			d.Message = queue.Seal(d.Message, foreign)
		case "other run, body":
			d.Message = queue.Seal(d.Message, foreign)
			d.Body = []byte("changed")
		}
	}
	q := record(history.Config{}, queue.Hooks{
		Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, most)
			for i := range ds {
				change(&ds[i])
			}
			return ds, err
		},
	})
	p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
	own := func(seq uint64) queue.Identity { return queue.Identity{Run: 7, Producer: 1, Seq: seq} }
	tests := []struct {
		id     string
		want   history.Damage
		known  queue.Identity
		detail string
		after  history.Damage // as settle and processed have it: they do not look at the body
	}{
		{"sound", history.Sound, own(0), "", history.Sound},
		{"body", history.CorruptPayload, own(1), "", history.Sound},
		{"envelope", history.CorruptEnvelope, queue.Identity{}, "envelope", history.CorruptEnvelope},
		{"none", history.Foreign, queue.Identity{}, "none", history.Foreign},
		{"other run", history.Foreign, foreign.Identity, "other run", history.Foreign},
		{"other run, body", history.Foreign, foreign.Identity, "other run, body", history.Foreign},
	}
	for _, want := range tests {
		queue.Send(t.Context(), p, queue.Message{ID: want.id, Body: []byte("body")})
		d := receive(t, c, 1)
		q.memory.Record(history.ProcessedEvent(&d[0], "consumer-1", 7))
		c.Settle(t.Context(), queue.Ack(), d)
		events := q.of(history.Deliver, history.Processed, history.Settle)
		for _, e := range events[len(events)-3:] {
			e.Identity.Stream = 0
			damage, detail := want.after, ""
			if e.Kind == history.Deliver {
				damage, detail = want.want, want.detail
			}
			if e.Damage != damage || e.Identity != want.known || e.Detail != detail || e.Group != "billing" {
				t.Errorf("%s: %+v", want.id, e)
			}
			if e.Kind == history.Deliver && (e.Intended != 0) != (damage == history.Sound || damage == history.CorruptPayload) {
				t.Errorf("%s: intended at %d", want.id, e.Intended)
			}
		}
	}
}

func TestSettleErrors(t *testing.T) {
	stale := fmt.Errorf("nats: %w", queue.ErrStale)
	answers := [][]error{nil, {nil, stale, queue.ErrRefused}, {nil, nil}}
	q := record(history.Config{}, queue.Hooks{
		Settle: func(context.Context, *queue.Session, queue.Settlement, []queue.Delivery, queue.SettleFunc) []error {
			a := answers[0]
			answers = answers[1:]
			return a
		},
	})
	p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
	want := [][]history.Event{
		{{Outcome: queue.OK}, {Outcome: queue.OK}, {Outcome: queue.OK}},
		{{Outcome: queue.OK}, {Outcome: queue.Unknown, Detail: stale.Error()}, {Outcome: queue.Failed, Detail: "refused"}},
		{{Outcome: queue.OK}, {Outcome: queue.OK}, {Outcome: queue.Unknown, Detail: "the driver returned fewer errors than deliveries"}},
	}
	queue.Send(t.Context(), p, make([]queue.Message, 3)...)
	ds := receive(t, c, 3)
	for n, errs := range answers {
		if got := c.Settle(t.Context(), queue.Ack(), ds); !slices.Equal(got, errs) {
			t.Errorf("the application gets %v, want %v", got, errs)
		}
		for i, e := range q.of(history.Settle)[3*n:] {
			if e.Outcome != want[n][i].Outcome || e.Detail != want[n][i].Detail || e.Identity.Seq != uint64(i) || !e.Ack {
				t.Errorf("%+v, want %+v", e, want[n][i])
			}
		}
	}
}

// The application never knows more than the history.
func TestInvokeComesBeforeAndOutcomeAfter(t *testing.T) {
	var m *history.Memory
	count := func(k history.Kind) (n int) {
		for e := range m.Events() {
			if e.Kind == k {
				n++
			}
		}
		return n
	}
	q := record(history.Config{}, queue.Hooks{
		Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			if n := count(history.Invoke); n != len(batch) {
				t.Errorf("%d of %d invokes are recorded when the driver is called", n, len(batch))
			}
			next(ctx, batch, done)
		},
		Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, most)
			if n := count(history.Deliver); n != 0 {
				t.Errorf("%d deliveries before there were any", n)
			}
			return ds, err
		},
	})
	m = q.memory
	told := 0
	q.producer(t, "orders").Produce(t.Context(), make([]queue.Message, 5), func(int, queue.Result) {
		if told++; count(history.Outcome) < told {
			t.Error("the application knows an outcome that is not recorded")
		}
	})
	ds := receive(t, q.consumer(t, "orders", "billing"), 5)
	if count(history.Deliver) != len(ds) || told != 5 {
		t.Error(count(history.Deliver), told)
	}
}

func TestHooksNeedARecorder(t *testing.T) {
	for _, c := range []history.Config{{}, {Recorder: &history.Memory{}}, {Start: time.Now()}} {
		q := queue.Wrap(memory.New(memory.Config{}), history.Hooks(c))
		if _, err := q.Producer(t.Context(), "orders"); err == nil || !strings.Contains(err.Error(), "Config.Recorder and Config.Start must be set") {
			t.Error(err)
		}
		if _, err := q.Consumer(t.Context(), "orders", "billing"); err == nil {
			t.Error("a consumer was opened that is not recorded")
		}
	}
}

func TestUseAfterClose(t *testing.T) {
	q := record(history.Config{})
	p := q.producer(t, "orders")
	queue.Send(t.Context(), p, queue.Message{})
	for range 2 {
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r := queue.Send(t.Context(), p, queue.Message{}); !errors.Is(r[0].Err, queue.ErrClosed) {
		t.Fatal(r)
	}
	invokes := q.of(history.Invoke)
	if len(invokes) != 2 || invokes[0].Identity.Producer == invokes[1].Identity.Producer {
		t.Fatal(invokes, "closed sessions are remembered for ever")
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

func TestOneHooksAroundTwoQueues(t *testing.T) {
	m := &history.Memory{Start: time.Now()}
	hooks := history.Hooks(history.Config{Recorder: m, Start: m.Start, Run: 1, Epoch: 3})
	for range 2 {
		p, err := queue.Wrap(memory.New(memory.Config{}), hooks).Producer(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		queue.Send(t.Context(), p, queue.Message{})
	}
	tracks := map[queue.Track]int{}
	for e := range m.Events() {
		if e.Kind == history.Invoke {
			tracks[e.Identity.Track()]++
			if e.Identity.Epoch != 3 {
				t.Error(e)
			}
		}
	}
	if len(tracks) != 2 {
		t.Error(tracks)
	}
}

func TestManyAtOnce(t *testing.T) {
	const producers, batches, size = 4, 50, 20
	q := record(history.Config{})
	var all sync.WaitGroup
	p := q.producer(t, "orders")
	for range producers {
		all.Go(func() {
			for range batches {
				queue.Send(t.Context(), p, make([]queue.Message, size)...)
			}
		})
	}
	for range 2 {
		c := q.consumer(t, "orders", "billing")
		all.Go(func() {
			for range producers * batches * size / 2 {
				ds, err := c.Receive(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				c.Settle(t.Context(), queue.Ack(), ds)
			}
		})
	}
	all.Wait()
	seen := map[history.Kind]map[uint64]int{}
	for e := range q.memory.Events() {
		if seen[e.Kind] == nil {
			seen[e.Kind] = map[uint64]int{}
		}
		seen[e.Kind][e.Identity.Seq]++
	}
	for _, k := range []history.Kind{history.Invoke, history.Outcome, history.Deliver, history.Settle} {
		if len(seen[k]) != producers*batches*size {
			t.Errorf("%d different messages in %v events, want %d", len(seen[k]), k, producers*batches*size)
		}
	}
}

// An application that does not look for the envelope sees no difference.
func TestConformance(t *testing.T) {
	var histories []*history.Memory
	h := queuetest.Harness{Bubble: true, Open: func(testing.TB) queue.Queue {
		m := &history.Memory{Start: time.Now()}
		histories = append(histories, m)
		inner := memory.New(memory.Config{AckTimeout: 2 * time.Second, MaxBody: 1 << 20, DedupWindow: time.Minute})
		return queue.Wrap(inner, withoutEnvelope(), history.Hooks(history.Config{Recorder: m, Start: m.Start, Run: 0}))
	}}
	queuetest.Run(t, h)
	for _, m := range histories {
		balance(t, m)
	}
}

// withoutEnvelope takes the envelopes that recording added off deliveries.
func withoutEnvelope() queue.Hooks {
	return queue.Hooks{Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
		ds, err := next(ctx, most)
		for i := range ds {
			n := len(ds[i].Headers)
			if e, err := queue.OpenEnvelope(&ds[i].Message); n > 0 && err == nil && e.Producer > 0 {
				if ds[i].Headers = ds[i].Headers[:n-1]; n == 1 {
					ds[i].Headers = nil
				}
			}
		}
		return ds, err
	}}
}

// balance checks that each invoke has its outcome.
func balance(t *testing.T, m *history.Memory) {
	type attempt struct {
		id queue.Identity
		n  int32
	}
	open := map[attempt]int{}
	for e := range m.Events() {
		switch e.Kind {
		case history.Invoke:
			open[attempt{e.Identity, e.Attempt}]++
		case history.Outcome:
			if open[attempt{e.Identity, e.Attempt}]--; open[attempt{e.Identity, e.Attempt}] < 0 {
				t.Errorf("an outcome without its invoke: %+v", e)
			}
		}
	}
	for a, n := range open {
		if n != 0 {
			t.Errorf("%d invokes without an outcome: %+v", n, a)
		}
	}
}
