package queuetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// group is the consumer group of tests that need only one.
const group = "workers"

// env is what one check works with: a connection, a topic of its own, and a deadline.
type env struct {
	testing.TB
	h     Harness
	caps  queue.Caps
	q     queue.Queue
	ctx   context.Context // ends at the check's deadline
	topic string
	made  int        // messages made, for their IDs
	sends []*sending // all batches handed to Produce
}

// newEnv opens a connection. When the check has ended, it is closed, and every done and every goroutine is accounted for.
func newEnv(t testing.TB, h Harness, caps queue.Caps, name string) *env {
	t.Helper()
	before := goroutines()
	ctx, cancel := context.WithTimeout(context.Background(), h.Wait+4*h.AckTimeout)
	e := &env{TB: t, h: h, caps: caps, ctx: ctx, topic: h.TopicPrefix + name + "-" + suffix(t)}
	t.Cleanup(func() { // last: after the cleanups that Open registers
		cancel()
		checkLeaks(t, h, before)
	})
	e.q = h.Open(t)
	t.Cleanup(e.finish)
	return e
}

// finish closes the connection and verifies that done was called once for each message.
func (e *env) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), grace) // e.ctx may have ended: that is what failed
	defer cancel()
	var err error
	if !e.returns(ctx, func() { err = e.q.Close(ctx) }) {
		e.Errorf("Close of the queue does not return")
		return
	}
	if err != nil {
		e.Errorf("close of the queue: %v", err)
	}
	for i, s := range e.sends {
		s.verify(e, i)
	}
}

func suffix(t testing.TB) string {
	var b [5]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatalf("no random bytes for the topic's name: %v", err)
	}
	return hex.EncodeToString(b[:])
}

func (e *env) producer() queue.Producer {
	e.Helper()
	p, err := e.q.Producer(e.ctx, e.topic)
	if err != nil {
		e.Fatalf("producer on %q: %v", e.topic, err)
	}
	return p
}

func (e *env) consumer(group string) queue.Consumer {
	e.Helper()
	c, err := e.q.Consumer(e.ctx, e.topic, group)
	if err != nil {
		e.Fatalf("consumer on %q in group %q: %v", e.topic, group, err)
	}
	return c
}

func (e *env) close(what string, c interface{ Close(context.Context) error }) {
	e.Helper()
	var err error
	e.mustReturn(e.ctx, "Close of the "+what, func() { err = c.Close(e.ctx) })
	if err != nil {
		e.Fatalf("close of the %s: %v", what, err)
	}
}

// grace is how long a call may take to return after its context has ended.
const grace = 5 * time.Second

// returns runs call, and reports whether it returned in time: at the latest a grace after ctx ended.
func (e *env) returns(ctx context.Context, call func()) bool {
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		call()
	}()
	select {
	case <-returned:
		return true
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-returned:
		return true
	case <-late.C:
		return false
	}
}

// mustReturn ends the test if call does not return in time: a suite that hangs tells nobody what hangs.
func (e *env) mustReturn(ctx context.Context, what string, call func()) {
	e.Helper()
	if !e.returns(ctx, call) {
		e.Fatalf("%s has not returned %v after its context ended", what, grace)
	}
}

func (e *env) receiveOnce(ctx context.Context, c queue.Consumer, max int) (ds []queue.Delivery, err error) {
	e.Helper()
	e.mustReturn(ctx, "Receive", func() { ds, err = c.Receive(ctx, max) })
	return ds, err
}

func (e *env) settleOnce(c queue.Consumer, how queue.Settlement, ds []queue.Delivery) (errs []error) {
	e.Helper()
	e.mustReturn(e.ctx, "Settle", func() { errs = c.Settle(e.ctx, how, ds) })
	return errs
}

// messages makes n messages with IDs that are unique in this topic, and small bodies that differ.
func (e *env) messages(n int) []queue.Message {
	ms := make([]queue.Message, n)
	for i := range ms {
		ms[i] = queue.Message{
			ID:   fmt.Sprintf("%s-%d", e.topic, e.made),
			Body: fmt.Appendf(nil, "body %d", e.made),
		}
		e.made++
	}
	return ms
}

// short is how long to look for something that must not come at all, such as a second copy.
func (e *env) short() time.Duration { return 100 * time.Millisecond }

// redelivery is how long to look for something that would come after the ack timeout, if it were still on the queue.
func (e *env) redelivery() time.Duration {
	if e.h.AckTimeout <= 0 || e.h.AckTimeout > MaxAckTimeout {
		return time.Second
	}
	return e.h.AckTimeout + e.h.AckTimeout/2 + 200*time.Millisecond
}
