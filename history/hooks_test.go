package history_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
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
		bubble.Sleep(time.Second)
		meant := time.Now().Add(-300 * time.Millisecond)
		queue.Send(ctx, p, queue.Message{ID: "a", Key: "k", Body: []byte("1"), Timestamp: meant}, queue.Message{ID: "b", Key: "k"})
		bubble.Sleep(time.Second)
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
