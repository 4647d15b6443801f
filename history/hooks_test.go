package history_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
			got[i].Claim = 0 // see TestClaims
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

// With other capabilities than those of the queue beneath.
type lesser struct {
	queue.Queue
	caps queue.Caps
}

func (q lesser) Caps() queue.Caps { return q.caps }

// A nil proves nothing where the broker does not confirm.
func TestWhatIsNotConfirmedIsUnknown(t *testing.T) {
	for _, caps := range []queue.Caps{{}, {ConfirmedSend: true}, {ConfirmedAck: true}, {ConfirmedSend: true, ConfirmedAck: true}} {
		m := &history.Memory{Start: time.Now()}
		hooks := history.Hooks(history.Config{Recorder: m, Start: m.Start, Run: 7})
		q := recorded{queue.Wrap(lesser{memory.New(memory.Config{}), caps}, hooks), m}
		p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
		for range 2 { // the second is no retry: the application was told nil
			queue.Send(t.Context(), p, queue.Message{ID: "a"})
		}
		c.Settle(t.Context(), queue.Ack(), receive(t, c, 2))
		want := map[history.Kind]queue.Outcome{history.Outcome: queue.Unknown, history.Settle: queue.Unknown}
		if caps.ConfirmedSend {
			want[history.Outcome] = queue.OK
		}
		if caps.ConfirmedAck {
			want[history.Settle] = queue.OK
		}
		for i, e := range q.of(history.Outcome, history.Settle) {
			if e.Outcome != want[e.Kind] || (e.Detail == "") != (e.Outcome == queue.OK) || e.Identity.Seq != uint64(i%2) {
				t.Errorf("%+v: %+v", caps, e)
			}
		}
	}
}

func TestClaims(t *testing.T) {
	q := record(history.Config{}, queue.Hooks{
		Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, most)
			for i := range ds {
				ds[i].Claim = int64(40 + i)
			}
			return ds, err
		},
	})
	queue.Send(t.Context(), q.producer(t, "orders"), make([]queue.Message, 3)...)
	c := q.consumer(t, "orders", "billing")
	c.Settle(t.Context(), queue.Ack(), receive(t, c, 3))
	for i, e := range q.of(history.Deliver, history.Settle) {
		if e.Claim != int64(40+i%3) {
			t.Errorf("%v with claim %d, want %d", e.Kind, e.Claim, 40+i%3)
		}
	}
}

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

// Closing the queue, and not each session, leaves nothing behind.
func TestClosedQueuesAreForgotten(t *testing.T) {
	forgotten := make(chan struct{})
	m := &history.Memory{Start: time.Now()}
	hooks := history.Hooks(history.Config{Recorder: m, Start: m.Start, Run: 1, Client: func(s *queue.Session) string {
		runtime.AddCleanup(s, func(int) { close(forgotten) }, 0)
		return "x"
	}})
	func() {
		q := queue.Wrap(memory.New(memory.Config{}), hooks)
		p, err := q.Producer(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		queue.Send(t.Context(), p, queue.Message{})
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}()
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case <-forgotten:
			runtime.KeepAlive(hooks)
			return
		case <-deadline:
			t.Fatal("the hooks still hold the session of a closed queue")
		case <-time.After(time.Millisecond):
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

func TestHooksNeedARecorderAndARun(t *testing.T) {
	for _, c := range []history.Config{{Run: 1}, {Run: 1, Recorder: &history.Memory{}}, {Run: 1, Start: time.Now()}, {
		Recorder: &history.Memory{}, Start: time.Now(),
	}} {
		q := queue.Wrap(memory.New(memory.Config{}), history.Hooks(c))
		want := "Config.Recorder and Config.Start must be set"
		if c.Run == 0 {
			want = "Config.Run must be set"
		}
		if _, err := q.Producer(t.Context(), "orders"); err == nil || !strings.Contains(err.Error(), want) {
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
	if len(invokes) != 2 || invokes[0].Identity.Track() != invokes[1].Identity.Track() || invokes[1].Identity.Seq != 1 {
		t.Fatal(invokes, "a refused message is one of its track, like any other")
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
		return queue.Wrap(inner, withoutEnvelope(), history.Hooks(history.Config{Recorder: m, Start: m.Start, Run: 1}))
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
			if e, err := queue.OpenEnvelope(&ds[i].Message); n > 0 && err == nil && e.Producer > 0 { // the suite's own has none
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
