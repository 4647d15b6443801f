package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// consumer is one member of the group, under one name through all its lives.
type consumer struct {
	w        *Workload
	name     string
	number   int
	most     int          // deliveries a Receive
	inHand   atomic.Int64 // received, and not yet processed and settled
	received consumed
	latency  *histogram // nil unless measuring; the living goroutine's
	life     *life      // nil: down. Guarded by Workload.control
}

// consumed are one consumer's accounts.
type consumed struct {
	delivered, redelivered, processed, damaged, foreign, receiveErrors, settleErrors atomic.Int64
}

// life is a consumer from the opening of its session to its end.
type life struct {
	c       *consumer
	session queue.Consumer
	jitter  *rand.Rand
	quit    context.Context // ends: receive no more, finish what is in hand
	leave   context.CancelFunc
	crashed context.Context // ends: drop what is in hand
	crash   context.CancelFunc
	done    chan batchDone // processed, to be settled
	ended   chan struct{}
	hand    hand         // read after ended
	unacked atomic.Int64 // processed, and not settled
}

// batchDone is what was received together, after its work.
type batchDone struct {
	session    queue.Consumer
	deliveries []queue.Delivery
}

// settleAhead is how many processed batches may wait for their acks while the consumer goes on. Where an ack is replicated and
// synced to disk, a consumer that waited for each would mostly wait.
const settleAhead = 4

// hand is what a consumer holds between Receive and the end of its work.
type hand struct {
	received, processed int
	acked               string // "", "acked", "ack not confirmed"
	unacked             int64  // besides: processed, their acks not confirmed
}

func newConsumer(w *Workload, number int) *consumer {
	c := &consumer{w: w, name: consumerName(number), number: number, most: receiveMax, latency: w.measure.histogram()}
	// What is received together is settled together, and must be within the ack timeout.
	if timeout := w.cfg.Queue.Caps().AckTimeout; timeout > 0 && w.cfg.Work > 0 && !w.cfg.AckEarly {
		c.most = int(min(receiveMax, max(1, timeout/2/w.cfg.Work)))
	}
	return c
}

func consumerName(number int) string { return fmt.Sprintf("consumer-%d", number) }

// start begins a life with an open session.
func (c *consumer) start(session queue.Consumer) {
	l := &life{
		c: c, session: session, done: make(chan batchDone, settleAhead), ended: make(chan struct{}),
		jitter: rand.New(rand.NewPCG(c.w.cfg.Seed, uint64(c.number)<<33)),
	}
	l.crashed, l.crash = context.WithCancel(context.Background())
	l.quit, l.leave = context.WithCancel(l.crashed)
	c.life = l
	go l.run()
}

func (l *life) run() {
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		for b := range l.done {
			l.settle(b)
			n := int64(len(b.deliveries))
			if l.crashed.Err() == nil {
				l.unacked.Add(-n)
				l.c.inHand.Add(-n)
			}
		}
	}()
	l.receive()
	close(l.done)
	<-settled
	l.hand.unacked = l.unacked.Load()
	close(l.ended)
}

func (l *life) receive() {
	for failures := 0; l.quit.Err() == nil; {
		ds, err := l.session.Receive(l.quit, l.c.most)
		if err == nil {
			failures = 0
			l.take(ds)
			continue
		}
		if l.quit.Err() != nil {
			return
		}
		failures++
		l.c.received.receiveErrors.Add(1)
		l.c.w.cfg.Logger.Warn("workload: receive", "client", l.c.name, "error", err, "failures", failures)
		wait(l.quit, backoff(l.jitter, failures))
		if errors.Is(err, queue.ErrClosed) {
			l.reopen()
		}
	}
}

// reopen gets a new session after the queue itself has ended the last one. If it does not work, the next Receive says so again.
func (l *life) reopen() {
	ctx, cancel := context.WithTimeout(queue.WithClient(l.quit, l.c.name), sessionEndLimit)
	defer cancel()
	session, err := l.c.w.cfg.Queue.Consumer(ctx, l.c.w.cfg.Topic, l.c.w.cfg.Group)
	if err != nil {
		l.c.w.cfg.Logger.Warn("workload: reopen", "client", l.c.name, "error", err)
		return
	}
	l.session = session
}

// take processes and settles what was received, in the order of the configuration. A crash leaves it where it stands.
func (l *life) take(ds []queue.Delivery) {
	c := l.c
	l.hand = hand{received: len(ds)}
	c.inHand.Add(int64(len(ds)))
	c.received.delivered.Add(int64(len(ds)))
	at := c.w.measure.now()
	if c.w.cfg.AckEarly {
		l.hand.acked = l.settle(batchDone{l.session, ds})
	}
	for i := range ds {
		l.process(&ds[i], at)
	}
	if l.crashed.Err() != nil {
		return
	}
	if c.w.cfg.AckEarly {
		l.hand = hand{}
		c.inHand.Add(-int64(len(ds)))
		return
	}
	select {
	case l.done <- batchDone{l.session, ds}:
		l.hand = hand{}
		l.unacked.Add(int64(len(ds)))
	case <-l.crashed.Done():
	}
}

// process does the work of one message, unless there is nothing to be done for it: a damaged or foreign message is counted, and
// taken off the queue with the others. A message that was processed before is processed again, as an application would.
func (l *life) process(d *queue.Delivery, at time.Duration) {
	c := l.c
	if l.crashed.Err() != nil {
		return
	}
	if d.Attempt > 1 {
		c.received.redelivered.Add(1)
	}
	e, err := queue.OpenEnvelope(&d.Message)
	switch {
	case errors.Is(err, queue.ErrNoEnvelope), !errors.Is(err, queue.ErrCorruptEnvelope) && e.Run != c.w.cfg.Run:
		c.received.foreign.Add(1)
		l.hand.processed++
		return
	case err != nil:
		c.received.damaged.Add(1)
		l.hand.processed++
		return
	}
	c.w.measure.received(c.latency, e.SentAt, at)
	if !wait(l.crashed, c.w.cfg.Work) {
		return
	}
	c.w.record(history.ProcessedEvent(d, c.name, c.w.cfg.Run))
	c.received.processed.Add(1)
	l.hand.processed++
	c.w.processed(e.Identity)
}

// settle acks a batch and says how that went, in words.
func (l *life) settle(b batchDone) string {
	if l.crashed.Err() != nil {
		return "not acked"
	}
	ctx, cancel := context.WithTimeout(l.crashed, settleLimit)
	defer cancel()
	acked := "acked"
	for _, err := range b.session.Settle(ctx, queue.Ack(), b.deliveries) {
		if err != nil {
			acked = "ack not confirmed"
			l.c.received.settleErrors.Add(1)
		}
	}
	return acked
}

// wait returns false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
