package queuetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
)

func produceAfterClose(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(5)
	e.send(p, ms[:2]...)
	e.close("producer", p)
	for i, r := range e.produce(e.ctx, p, ms[2:]).wait(e) {
		if !errors.Is(r.Err, queue.ErrClosed) {
			e.Errorf("produce of message %d after Close: %v; want queue.ErrClosed", i, r.Err)
		}
	}
	e.collectOnly(c, group, ms[:2])
}

func produceCancelled(e *env) {
	c, p := e.consumer(group), e.producer()
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	ms := e.messages(20)
	s := e.produce(ctx, p, ms)
	s.wait(e)
	e.judge(c, p, s)
}

// produceInterrupted ends the context while batches are in flight.
func produceInterrupted(e *env) {
	c, p := e.consumer(group), e.producer()
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	var sends []*sending
	for i := range 20 {
		if i == 8 {
			sends[0].wait(e)
			cancel()
		}
		sends = append(sends, e.produce(ctx, p, e.messages(50)))
	}
	for _, s := range sends {
		s.wait(e)
	}
	e.judge(c, p, sends...)
}

// judge compares the outcomes with what is in the queue: every OK message is there, no Failed one is, and of the unknown ones
// any may be. A last message marks the end.
func (e *env) judge(c queue.Consumer, p queue.Producer, sends ...*sending) {
	e.Helper()
	outcome := make(map[string]queue.Outcome)
	missing := 0
	for _, s := range sends {
		for i, r := range s.results {
			o := queue.OutcomeOf(r.Err)
			outcome[s.messages[i].ID] = o
			if o == queue.OK {
				missing++
			}
		}
	}
	last := e.messages(1)
	e.send(p, last...)
	outcome[last[0].ID] = queue.OK
	missing++
	seen := make(map[string]bool)
	for missing > 0 {
		ds, err := e.receiveOnce(e.ctx, c, 64)
		if err != nil {
			e.Fatalf("receive, while %d messages whose send was ok are missing: %v", missing, err)
		}
		e.bounds(ds, 64)
		for _, d := range ds {
			o, sent := outcome[d.ID]
			if !sent || o == queue.Failed {
				e.Fatalf("message %s was delivered: sent %v, outcome %v", d.ID, sent, o)
			}
			if !seen[d.ID] && o == queue.OK {
				missing--
			}
			seen[d.ID] = true
		}
		e.ack(c, ds...)
	}
	e.noneFailed(c, outcome)
}

// noneFailed looks for failed messages a little longer: they might come after the last.
func (e *env) noneFailed(c queue.Consumer, outcome map[string]queue.Outcome) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, e.short())
	defer cancel()
	for {
		ds, err := e.receiveOnce(ctx, c, 64)
		if err != nil {
			return
		}
		e.bounds(ds, 64)
		for _, d := range ds {
			if outcome[d.ID] == queue.Failed {
				e.Fatalf("message %s was delivered, and its send had failed", d.ID)
			}
		}
		e.ack(c, ds...)
	}
}

// producerCloseFlushes: when Close returns nil, every admitted message has its result.
func producerCloseFlushes(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(200)
	var sends []*sending
	for i := 0; i < len(ms); i += 20 {
		sends = append(sends, e.produce(e.ctx, p, ms[i:i+20]))
	}
	e.close("producer", p)
	for i, s := range sends {
		select {
		case <-s.all:
		default:
			e.Fatalf("Close of the producer returned nil before batch %d had all its results", i)
		}
		for _, r := range s.results {
			if r.Err != nil {
				e.Fatalf("send before Close: %v", r.Err)
			}
		}
	}
	e.collectOnly(c, group, ms)
}

// producerCloseDuringDone: Close waits for a result that is just being told, and for those after it.
func producerCloseDuringDone(e *env) {
	p := e.producer()
	s := e.sending(e.messages(20))
	entered, closed := make(chan struct{}), make(chan struct{})
	var first sync.Once
	done := func(i int, r queue.Result) {
		first.Do(func() {
			close(entered)
			early := time.NewTimer(50 * time.Millisecond) // most likely, Close waits by then
			defer early.Stop()
			select {
			case <-closed:
			case <-early.C:
			}
		})
		s.done(i, r)
	}
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		p.Produce(e.ctx, s.messages, done)
	}()
	select {
	case <-entered:
	case <-e.ctx.Done():
		e.Fatalf("produce: done was not called for any of %d messages", len(s.messages))
	}
	var err error
	e.mustReturn(e.ctx, "Close of the producer during done", func() { err = p.Close(e.ctx) })
	told := s.told()
	close(closed)
	e.mustReturn(e.ctx, "Produce during Close", func() { <-produced })
	if err != nil {
		e.Fatalf("close of the producer during done: %v", err)
	}
	s.wait(e)
	admitted := 0 // those that Close found waiting for room may be refused, also later
	for _, r := range s.results {
		if !errors.Is(r.Err, queue.ErrClosed) {
			admitted++
		}
	}
	if told < admitted {
		e.Errorf("Close of the producer returned nil when %d of %d admitted messages had their result", told, admitted)
	}
}

func receiveCancelled(e *env) {
	c := e.consumer(group)
	ctx, cancel := context.WithCancel(e.ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	if ds, err := e.receiveOnce(ctx, c, 1); !errors.Is(err, context.Canceled) {
		e.Errorf("receive whose context is cancelled: %d deliveries and %v; want context.Canceled", len(ds), err)
	}
	if ds, err := e.receiveOnce(ctx, c, 1); !errors.Is(err, context.Canceled) {
		e.Errorf("receive with a cancelled context: %d deliveries and %v; want context.Canceled", len(ds), err)
	}
	e.nothing(c, e.short(), "none was sent")
	ms := e.messages(1)
	e.send(e.producer(), ms...)
	e.collect(c, group, ms) // the session still works
}

// receiveCancelledLosesNothing races messages with contexts that end.
func receiveCancelledLosesNothing(e *env) {
	c, p := e.consumer(group), e.producer()
	in := e.inbox(group, nil)
	var sends []*sending
	for i := range 40 {
		ms := e.messages(3)
		for i := range ms {
			in.want[ms[i].ID] = &ms[i]
		}
		sends = append(sends, e.produce(e.ctx, p, ms))
		ctx, cancel := context.WithTimeout(e.ctx, time.Duration(i%4)*500*time.Microsecond)
		ds, err := e.receiveOnce(ctx, c, 2)
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				e.Fatalf("receive with a deadline: %v", err)
			}
			continue
		}
		e.bounds(ds, 2)
		in.take(ds)
		e.ack(c, ds...)
	}
	for _, s := range sends {
		s.wait(e)
	}
	for !in.complete() {
		ds := e.receiveFor(c, 64, in)
		in.take(ds)
		e.ack(c, ds...)
	}
}
