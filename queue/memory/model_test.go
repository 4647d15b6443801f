package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

const modelTimeout = 10 * time.Second

// op is one step of a random run: the verb, which consumer, how many, and how long.
type op struct {
	Verb string
	Who  int
	N    int
	For  time.Duration
}

func drawOp(t *rapid.T) op {
	return op{
		Verb: rapid.SampledFrom([]string{"send", "send later", "receive", "receive", "ack", "nack", "wait", "reopen"}).Draw(t, "verb"),
		Who:  rapid.IntRange(0, 1).Draw(t, "who"),
		N:    rapid.IntRange(1, 6).Draw(t, "n"),
		For:  time.Duration(rapid.IntRange(0, 12).Draw(t, "for")) * time.Second,
	}
}

// TestModel compares random runs with a model that knows for each message only when it may be delivered, and to whom it was.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ops := rapid.SliceOfN(rapid.Custom(drawOp), 1, 60).Draw(rt, "ops")
		var failure error
		synctest.Test(t, func(t *testing.T) { failure = newModel(t).run(ops) })
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// known is what the model knows of a message.
type known struct {
	due      time.Time // when it may be delivered next, if it is not settled until then
	attempt  int
	holder   int // consumer, or -1
	acked    bool
	delivery queue.Delivery // the latest
}

type model struct {
	t        *testing.T
	q        queue.Queue
	p        queue.Producer
	cs       [2]queue.Consumer
	messages []*known // by offset
	fresh    int64    // highest offset that was delivered for the first time, of those without a delay
}

func newModel(t *testing.T) *model {
	q, p, c := open(t, memory.Config{AckTimeout: modelTimeout})
	return &model{t: t, q: q, p: p, cs: [2]queue.Consumer{c, consumer(t, q, "workers")}, fresh: -1}
}

func (m *model) run(ops []op) error {
	for i, o := range ops {
		if err := errors.Join(m.step(o), m.depth()); err != nil {
			return fmt.Errorf("step %d, %+v: %w", i, o, err)
		}
	}
	return m.drain()
}

func (m *model) step(o op) error {
	switch o.Verb {
	case "send":
		return m.send(o.N, 0)
	case "send later":
		return m.send(o.N, o.For)
	case "receive":
		return m.receive(o.Who, o.N)
	case "ack":
		return m.settle(o, queue.Ack())
	case "nack":
		return m.settle(o, queue.Nack(o.For))
	case "wait":
		bubble.Sleep(o.For) // in the bubble
		return nil
	default:
		return m.reopen(o.Who)
	}
}

func (m *model) send(n int, later time.Duration) error {
	ms := make([]queue.Message, n)
	for i := range ms {
		k := &known{holder: -1, due: time.Now().Add(later)}
		if later > 0 {
			ms[i].NotBefore = k.due
		}
		m.messages = append(m.messages, k)
	}
	for i, r := range queue.Send(m.t.Context(), m.p, ms...) {
		if want := int64(len(m.messages) - n + i); r.Err != nil || r.Offset != want {
			return fmt.Errorf("result %+v, want offset %d", r, want)
		}
	}
	return nil
}

// expire takes away what was held too long.
func (m *model) expire() (takeable int) {
	for _, k := range m.messages {
		if k.acked || k.due.After(time.Now()) {
			continue
		}
		k.holder = -1
		takeable++
	}
	return takeable
}

func (m *model) receive(who, max int) error {
	want := min(max, m.expire())
	ctx, cancel := context.WithTimeout(m.t.Context(), 0)
	defer cancel()
	if want > 0 {
		ctx = m.t.Context()
	}
	ds, err := m.cs[who].Receive(ctx, max)
	if len(ds) != want || (err == nil) != (want > 0) {
		return fmt.Errorf("received %d, want %d: %w", len(ds), want, err)
	}
	for _, d := range ds {
		if err := m.delivered(who, d); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) delivered(who int, d queue.Delivery) error {
	k := m.messages[d.Offset]
	k.attempt++
	if k.acked || k.due.After(time.Now()) || k.holder >= 0 || d.Attempt != k.attempt {
		return fmt.Errorf("message %d was delivered with attempt %d; known of it: %+v", d.Offset, d.Attempt, *k)
	}
	if d.Attempt == 1 && d.NotBefore.IsZero() {
		if d.Offset < m.fresh {
			return fmt.Errorf("message %d was delivered after message %d", d.Offset, m.fresh)
		}
		m.fresh = d.Offset
	}
	k.holder, k.due, k.delivery = who, time.Now().Add(modelTimeout), d
	return nil
}

// settle settles the latest deliveries of the first messages that were delivered, whoever holds them: some are stale.
func (m *model) settle(o op, how queue.Settlement) error {
	m.expire()
	var ds []queue.Delivery
	for _, k := range m.messages {
		if k.attempt > 0 && len(ds) < o.N {
			ds = append(ds, k.delivery)
		}
	}
	errs := m.cs[o.Who].Settle(m.t.Context(), how, ds)
	for i, d := range ds {
		k := m.messages[d.Offset]
		valid := k.holder == o.Who && !k.acked
		var err error
		if errs != nil {
			err = errs[i]
		}
		if valid != (err == nil) || err != nil && !errors.Is(err, queue.ErrStale) {
			return fmt.Errorf("settle of message %d: %w; known of it: %+v", d.Offset, err, *k)
		}
		if valid {
			k.acked, k.holder, k.due = how.Ack, -1, time.Now().Add(how.After)
		}
	}
	return nil
}

func (m *model) reopen(who int) (err error) {
	if err := m.cs[who].Close(m.t.Context()); err != nil {
		return err
	}
	for _, k := range m.messages {
		if k.holder == who && !k.acked {
			k.holder, k.due = -1, time.Now()
		}
	}
	m.cs[who], err = m.q.Consumer(m.t.Context(), "orders", "workers")
	return err
}

func (m *model) depth() error {
	m.expire()
	var want queue.Depth
	for _, k := range m.messages {
		switch {
		case k.acked:
		case k.holder >= 0:
			want.InFlight++
		default:
			want.Ready++
		}
	}
	if d, err := m.q.Depth(m.t.Context(), "orders", "workers"); err != nil || d != want {
		return fmt.Errorf("depth %+v, %w; want %+v", d, err, want)
	}
	return nil
}

// drain receives and acks what is left; time alone must bring it.
func (m *model) drain() error {
	left := 0
	for _, k := range m.messages {
		if !k.acked {
			left++
		}
	}
	for left > 0 {
		ds, err := m.cs[0].Receive(m.t.Context(), 3)
		if err != nil {
			return fmt.Errorf("drain: %w", err)
		}
		m.expire()
		for _, d := range ds {
			if err := m.delivered(0, d); err != nil {
				return fmt.Errorf("drain: %w", err)
			}
			m.messages[d.Offset].acked = true
		}
		if errs := m.cs[0].Settle(m.t.Context(), queue.Ack(), ds); errs != nil {
			return fmt.Errorf("drain: %w", errors.Join(errs...))
		}
		left -= len(ds)
	}
	return m.depth()
}
