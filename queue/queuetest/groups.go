package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/havoqlab/havoq/queue"
)

// groupShares: two members of a group receive every message once between them.
func groupShares(e *env) {
	cs := []queue.Consumer{e.consumer(group), e.consumer(group)}
	p := e.producer()
	ms := e.messages(200)
	for i := 0; i < len(ms); i += 20 {
		e.send(p, ms[i:i+20]...)
	}
	e.share(cs, ms)
	for _, c := range cs {
		e.nothing(c, e.short(), "the group's members received and acked all")
	}
}

// share lets all consumers receive and ack until every one of ms came to one of them.
func (e *env) share(cs []queue.Consumer, ms []queue.Message) {
	e.Helper()
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	type arrival struct {
		ds  []queue.Delivery
		err error
	}
	arrivals := make(chan arrival)
	var members sync.WaitGroup
	for i, c := range cs {
		members.Go(func() {
			for {
				ds, err := c.Receive(ctx, 5)
				if ctx.Err() != nil && err != nil {
					return
				}
				if err == nil && (len(ds) == 0 || len(ds) > 5) {
					err = fmt.Errorf("consumer %d received %d deliveries with a max of 5", i, len(ds))
				}
				if err == nil {
					err = errors.Join(c.Settle(e.ctx, queue.Ack(), ds)...)
				}
				select {
				case arrivals <- arrival{ds, err}:
				case <-ctx.Done():
				}
				if err != nil {
					return
				}
			}
		})
	}
	in := e.inbox(group, ms)
	var failed error
	for !in.complete() && failed == nil && e.ctx.Err() == nil {
		select {
		case a := <-arrivals:
			if failed = a.err; failed == nil {
				in.take(a.ds)
			}
		case <-e.ctx.Done():
		}
	}
	cancel()
	e.mustReturn(ctx, "Receive", members.Wait)
	if failed != nil || !in.complete() {
		e.Fatalf("shared by %d consumers: %s: %v", len(cs), in, failed)
	}
}

// groupsGetAll: every group receives every message, and settling in one leaves the other alone.
func groupsGetAll(e *env) {
	a, b := e.consumer("group-a"), e.consumer("group-b")
	p := e.producer()
	ms := e.messages(40)
	e.send(p, ms...)
	e.collectOnly(a, "group-a", ms)
	e.collectOnly(b, "group-b", ms)
}

// concurrentUse: producers, consumers and settlements of several goroutines on the same sessions.
func concurrentUse(e *env) {
	cs := []queue.Consumer{e.consumer(group), e.consumer(group)}
	p := e.producer()
	const senders, batches, size = 4, 10, 5
	ms := e.messages(senders * batches * size)
	sends := make([]*sending, 0, senders*batches)
	for i := 0; i < len(ms); i += size {
		sends = append(sends, e.sending(ms[i:i+size]))
	}
	var running sync.WaitGroup
	for i := range senders {
		running.Go(func() {
			for _, s := range sends[i*batches : (i+1)*batches] {
				p.Produce(e.ctx, s.messages, s.done)
			}
		})
	}
	e.share(cs, ms)
	e.mustReturn(e.ctx, "Produce", running.Wait)
	for _, s := range sends {
		for _, r := range s.wait(e) {
			if r.Err != nil {
				e.Fatalf("concurrent send: %v", r.Err)
			}
		}
	}
	e.settleConcurrently(cs[0], p)
}

// settleConcurrently settles single deliveries from many goroutines while Receive waits.
func (e *env) settleConcurrently(c queue.Consumer, p queue.Producer) {
	ms := e.messages(20)
	e.send(p, ms...)
	in := e.inbox(group, ms)
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		failed  error
	)
	for !in.complete() {
		ds := e.receiveFor(c, 3, in)
		in.take(ds)
		for _, d := range ds {
			running.Go(func() {
				err := errors.Join(c.Settle(e.ctx, queue.Ack(), []queue.Delivery{d})...)
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			})
		}
	}
	e.mustReturn(e.ctx, "Settle", running.Wait)
	if failed != nil {
		e.Errorf("concurrent settle: %v", failed)
	}
}
