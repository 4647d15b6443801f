package queuetest

import (
	"context"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// depth compares the broker's figure with what was sent, received and acked.
func depth(e *env) {
	c, p := e.consumer(group), e.producer()
	e.depthBecomes(0, "nothing was sent")
	ms := e.messages(20)
	e.send(p, ms...)
	e.depthBecomes(20, "20 messages were sent")
	ds := e.gather(c, 5)
	e.depthBecomes(20, "5 of 20 messages were received and none was acked")
	e.ack(c, ds...)
	e.depthBecomes(15, "5 of 20 messages were acked")
	e.again(c, missing(ms, ds), "")
	e.depthBecomes(0, "all was acked")
}

func missing(ms []queue.Message, ds []queue.Delivery) (left []string) {
	got := make(map[string]bool)
	for i := range ds {
		got[ds[i].ID] = true
	}
	for i := range ms {
		if !got[ms[i].ID] {
			left = append(left, ms[i].ID)
		}
	}
	return left
}

// depthBecomes waits until the depth is n. A broker that cannot say how much is in flight is asked only for what is ready,
// and only while nothing is in flight.
func (e *env) depthBecomes(n int64, why string) {
	e.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		d, err := e.q.Depth(e.ctx, e.topic, group)
		if err != nil {
			e.Fatalf("depth of %q: %v", e.topic, err)
		}
		if d.Ready < 0 {
			e.Fatalf("Caps.Depth is true, and depth is %+v", d)
		}
		if d.Total() == n || d.InFlight < 0 && d.Ready <= n {
			return
		}
		select {
		case <-poll.C:
		case <-e.ctx.Done():
			e.Fatalf("depth is %+v, and should be %d in all: %s", d, n, why)
		}
	}
}

// restart: what was confirmed before a restart of the broker is delivered after it, by new sessions on the same connection.
func restart(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(50)
	e.send(p, ms...)
	e.h.Restart(e)
	_ = c.Close(e.ctx) // its session may have died with the broker
	_ = p.Close(e.ctx)
	c, p = e.reopen()
	more := e.messages(5)
	e.sendEventually(p, more)
	in := e.inbox(group, append(ms, more...))
	for !in.complete() {
		ds := receiveEventually(e, c, in)
		in.take(ds)
		e.ack(c, ds...)
	}
}

// reopen opens sessions, trying again while the connection recovers.
func (e *env) reopen() (queue.Consumer, queue.Producer) {
	e.Helper()
	var c queue.Consumer
	var p queue.Producer
	e.eventually("consumer after the restart", func(ctx context.Context) (err error) {
		c, err = e.q.Consumer(ctx, e.topic, group)
		return err
	})
	e.eventually("producer after the restart", func(ctx context.Context) (err error) {
		p, err = e.q.Producer(ctx, e.topic)
		return err
	})
	return c, p
}

func (e *env) sendEventually(p queue.Producer, ms []queue.Message) {
	e.Helper()
	for _, m := range ms {
		e.eventually("send after the restart", func(ctx context.Context) error {
			return e.produce(ctx, p, []queue.Message{m}).wait(e)[0].Err
		})
	}
}

func receiveEventually(e *env, c queue.Consumer, in *inbox) (ds []queue.Delivery) {
	e.Helper()
	e.eventually("receive after the restart, with "+in.String(), func(ctx context.Context) (err error) {
		ds, err = e.receiveOnce(ctx, c, 16)
		return err
	})
	e.bounds(ds, 16)
	return ds
}

// eventually tries until it works or the check's deadline comes.
func (e *env) eventually(what string, try func(context.Context) error) {
	e.Helper()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		err := try(e.ctx)
		if err == nil {
			return
		}
		select {
		case <-poll.C:
		case <-e.ctx.Done():
			e.Fatalf("%s: %v", what, err)
		}
	}
}
