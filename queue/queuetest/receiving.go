package queuetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// receive calls Receive once and checks its bounds.
func (e *env) receive(c queue.Consumer, max int) []queue.Delivery {
	e.Helper()
	ds, err := e.receiveOnce(e.ctx, c, max)
	if err != nil {
		e.Fatalf("receive: %v", err)
	}
	e.bounds(ds, max)
	return ds
}

func (e *env) bounds(ds []queue.Delivery, max int) {
	e.Helper()
	if len(ds) == 0 {
		e.Fatal("receive returned neither a delivery nor an error")
	}
	if len(ds) > max {
		e.Fatalf("receive returned %d deliveries, more than its max of %d", len(ds), max)
	}
}

// gather receives exactly n deliveries, without settling them.
func (e *env) gather(c queue.Consumer, n int) []queue.Delivery {
	e.Helper()
	var got []queue.Delivery
	for len(got) < n {
		got = append(got, e.receive(c, n-len(got))...)
	}
	return got
}

// ack settles the deliveries; all must be confirmed.
func (e *env) ack(c queue.Consumer, ds ...queue.Delivery) {
	e.Helper()
	e.settle(c, queue.Ack(), ds...)
}

func (e *env) settle(c queue.Consumer, how queue.Settlement, ds ...queue.Delivery) {
	e.Helper()
	errs := e.settleOnce(c, how, ds)
	if errs != nil && len(errs) != len(ds) {
		e.Fatalf("settle of %d deliveries returned %d errors: it must be none, or one (or nil) for each", len(ds), len(errs))
	}
	if err := errors.Join(errs...); err != nil {
		e.Fatalf("settle (ack %v) of %d deliveries: %v", how.Ack, len(ds), err)
	}
}

// collect receives all of ms, acking at once, and returns them as they came. Anything else that comes is an error: a foreign
// message, a second copy that no ack timeout explains, a changed message.
func (e *env) collect(c queue.Consumer, group string, ms []queue.Message) []queue.Delivery {
	e.Helper()
	in := e.inbox(group, ms)
	for !in.complete() {
		ds := e.receiveFor(c, 64, in)
		in.take(ds)
		e.ack(c, ds...)
	}
	return in.got
}

// collectOnly is collect, and then looks for a while that nothing more comes.
func (e *env) collectOnly(c queue.Consumer, group string, ms []queue.Message) []queue.Delivery {
	e.Helper()
	got := e.collect(c, group, ms)
	e.nothing(c, e.short(), "all was received and acked")
	return got
}

func (e *env) receiveFor(c queue.Consumer, max int, in *inbox) []queue.Delivery {
	e.Helper()
	ds, err := e.receiveOnce(e.ctx, c, max)
	if err != nil {
		e.Fatalf("receive, with %s: %v", in, err)
	}
	e.bounds(ds, max)
	return ds
}

// nothing verifies that c receives nothing for this long.
func (e *env) nothing(c queue.Consumer, d time.Duration, since string) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, d)
	defer cancel()
	ds, err := e.receiveOnce(ctx, c, 1)
	if err == nil {
		e.bounds(ds, 1)
		e.Fatalf("message %s (attempt %d) was delivered, though %s", ds[0].ID, ds[0].Attempt, since)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		e.Fatalf("receive with a deadline: %v; want context.DeadlineExceeded", err)
	}
}

// again receives, acking, until every one of ids came, and reports deliveries that are not among them.
func (e *env) again(c queue.Consumer, ids []string, others string) []queue.Delivery {
	e.Helper()
	missing := slices.Clone(ids)
	var got []queue.Delivery
	for len(missing) > 0 {
		ds, err := e.receiveOnce(e.ctx, c, 16)
		if err != nil {
			e.Fatalf("receive, while %d of %d messages are not redelivered (first: %s): %v", len(missing), len(ids), missing[0], err)
		}
		e.bounds(ds, 16)
		for _, d := range ds {
			if !slices.Contains(ids, d.ID) && others != "" {
				e.Fatalf("message %s came again, though %s", d.ID, others)
			}
			missing = slices.DeleteFunc(missing, func(id string) bool { return id == d.ID })
		}
		e.ack(c, ds...)
		got = append(got, ds...)
	}
	return got
}

// same compares what every driver must carry unchanged; header order among different keys is a capability.
func (e *env) same(d *queue.Delivery, m *queue.Message, group string) {
	e.Helper()
	switch {
	case d.ID != m.ID:
		e.Errorf("delivered ID %q, want %q", d.ID, m.ID)
	case d.Key != m.Key:
		e.Errorf("message %s: delivered key %q, want %q", m.ID, d.Key, m.Key)
	case !bytes.Equal(d.Body, m.Body):
		e.Errorf("message %s: delivered body of %d bytes differs from the %d bytes that were sent", m.ID, len(d.Body), len(m.Body))
	case d.Topic != e.topic || d.Group != group:
		e.Errorf("message %s: delivered topic %q and group %q, want %q and %q", m.ID, d.Topic, d.Group, e.topic, group)
	}
	for _, h := range m.Headers {
		if got, want := values(d.Headers, h.Key), values(m.Headers, h.Key); !slices.Equal(got, want) {
			e.Errorf("message %s: header %q: delivered %q, want %q", m.ID, h.Key, got, want)
		}
	}
	for _, h := range d.Headers {
		if _, ok := m.Header(h.Key); !ok {
			e.Errorf("message %s: delivered header %q was never sent: a driver's own headers stay its own", m.ID, h.Key)
		}
	}
}

func values(hs []queue.Header, key string) (vs []string) {
	for _, h := range hs {
		if h.Key == key {
			vs = append(vs, h.Value)
		}
	}
	return vs
}
