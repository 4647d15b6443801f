package queuetest

import (
	"context"
	"errors"
	"time"

	"github.com/havoqlab/havoq/queue"
)

func closeWhileReceiving(e *env) {
	c, d := e.consumer(group), e.consumer("others")
	e.endsReceive("Close of the consumer", c, c.Close)
	e.endsReceive("Close of the queue", d, e.q.Close)
}

// endsReceive verifies that a waiting Receive, and every later one, reports ErrClosed when close is called.
func (e *env) endsReceive(what string, c queue.Consumer, closing func(context.Context) error) {
	e.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Receive(e.ctx, 1)
		ended <- err
	}()
	closed := make(chan error, 1)
	timer := time.AfterFunc(50*time.Millisecond, func() { closed <- closing(e.ctx) }) // most likely, Receive waits by then
	defer timer.Stop()
	var err error
	e.mustReturn(e.ctx, what, func() { err = <-closed })
	if err != nil {
		e.Errorf("%s: %v", what, err)
	}
	e.mustReturn(e.ctx, "Receive during "+what, func() { err = <-ended })
	if !errors.Is(err, queue.ErrClosed) {
		e.Errorf("receive during %s: %v; want queue.ErrClosed", what, err)
	}
	if _, err := e.receiveOnce(e.ctx, c, 1); !errors.Is(err, queue.ErrClosed) {
		e.Errorf("receive after %s: %v; want queue.ErrClosed", what, err)
	}
}

func settleAfterClose(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(3)
	e.send(p, ms...)
	ds := e.gather(c, len(ms))
	e.close("consumer", c)
	errs := e.settleOnce(c, queue.Ack(), ds)
	if len(errs) != len(ds) {
		e.Fatalf("settle of %d deliveries after Close returned %d errors; want one for each", len(ds), len(errs))
	}
	for i, err := range errs {
		if err == nil {
			e.Errorf("settle after Close: no error for delivery %d of %d, which is given back", i, len(ds))
		}
	}
	e.again(e.consumer(group), ids(ds), "it was never sent")
}

func closeTwice(e *env) {
	c, p := e.consumer(group), e.producer()
	for _, what := range []string{"first", "second"} {
		e.close(what+" time consumer", c)
		e.close(what+" time producer", p)
	}
	c, p = e.consumer(group), e.producer()
	for _, what := range []string{"first", "second"} {
		e.close(what+" time queue", e.q)
	}
	e.close("consumer after its queue", c)
	e.close("producer after its queue", p)
}

func useAfterQueueClose(e *env) {
	p := e.producer()
	e.close("queue", e.q)
	for _, r := range e.produce(e.ctx, p, e.messages(2)).wait(e) {
		if !errors.Is(r.Err, queue.ErrClosed) {
			e.Errorf("produce after Close of the queue: %v; want queue.ErrClosed", r.Err)
		}
	}
	if _, err := e.q.Producer(e.ctx, e.topic); err == nil {
		e.Error("a closed queue opened a producer")
	}
	if _, err := e.q.Consumer(e.ctx, e.topic, group); err == nil {
		e.Error("a closed queue opened a consumer")
	}
}
