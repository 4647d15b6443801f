package queuetest

import (
	"context"
	"sync"

	"github.com/havoqlab/havoq/queue"
)

// sending is one batch handed to Produce, and what done was told.
type sending struct {
	messages []queue.Message
	all      chan struct{} // closed when every message has a result

	mu      sync.Mutex
	results []queue.Result
	calls   []int // of done, for each message
	strays  []int // indices that are not in the batch
	left    int
}

// produce hands the batch to p. It returns when Produce does.
func (e *env) produce(ctx context.Context, p queue.Producer, ms []queue.Message) *sending {
	e.Helper()
	s := e.sending(ms)
	e.mustReturn(ctx, "Produce", func() { p.Produce(ctx, ms, s.done) })
	return s
}

func (e *env) sending(ms []queue.Message) *sending {
	s := &sending{
		messages: ms, all: make(chan struct{}), results: make([]queue.Result, len(ms)), calls: make([]int, len(ms)), left: len(ms),
	}
	if len(ms) == 0 {
		close(s.all)
	}
	e.sends = append(e.sends, s)
	return s
}

func (s *sending) done(i int, r queue.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 || i >= len(s.calls) {
		s.strays = append(s.strays, i)
		return
	}
	s.calls[i]++
	if s.calls[i] > 1 {
		return
	}
	s.results[i] = r
	if s.left--; s.left == 0 {
		close(s.all)
	}
}

// told is how many messages have a result.
func (s *sending) told() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls) - s.left
}

// wait waits for all results.
func (s *sending) wait(e *env) []queue.Result {
	e.Helper()
	select {
	case <-s.all:
		return s.results
	case <-e.ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		e.Fatalf("produce: done was not called for %d of %d messages", s.left, len(s.calls))
		return nil
	}
}

// verify runs after the queue is closed.
func (s *sending) verify(e *env, batch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range s.calls {
		if n != 1 {
			e.Errorf("batch %d of the test: done was called %d times for message %d of %d, not once", batch, n, i, len(s.calls))
			return
		}
	}
	if len(s.strays) > 0 {
		e.Errorf("batch %d of the test: done was called with index %d in a batch of %d", batch, s.strays[0], len(s.calls))
	}
}

// send produces the batch and waits; every message must be confirmed.
func (e *env) send(p queue.Producer, ms ...queue.Message) []queue.Result {
	e.Helper()
	rs := e.produce(e.ctx, p, ms).wait(e)
	for i, r := range rs {
		if r.Err != nil {
			e.Fatalf("send of message %d of %d: %v", i, len(ms), r.Err)
		}
	}
	return rs
}
