package queuetest

import (
	"errors"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// ackedStaysAcked: what was acked does not come again, neither in this session nor in a later one.
func ackedStaysAcked(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(5)
	e.send(p, ms...)
	e.collect(c, group, ms)
	e.close("consumer", c)
	e.nothing(e.consumer(group), e.redelivery(), "it was acked in an earlier session")
}

// settleSome: of what was received, only what was acked is gone. The others come again in a new session.
func settleSome(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(10)
	e.send(p, ms...)
	var acked, left []queue.Delivery
	for i, d := range e.gather(c, len(ms)) {
		if i%2 == 0 {
			acked = append(acked, d)
		} else {
			left = append(left, d)
		}
	}
	e.ack(c, acked...)
	e.close("consumer", c)
	others := "it was acked"
	if e.caps.CumulativeAck {
		others = "" // an ack counts only once all before it are acked
	}
	e.again(e.consumer(group), ids(left), others)
}

func ids(ds []queue.Delivery) []string {
	all := make([]string, len(ds))
	for i := range ds {
		all[i] = ds[i].ID
	}
	return all
}

// attempt checks the count of a redelivery.
func (e *env) attempt(d *queue.Delivery, n int) {
	e.Helper()
	switch {
	case e.caps.Attempts == queue.AttemptsNone && d.Attempt != 0:
		e.Errorf("Caps.Attempts is none, and delivery %d of %s has Attempt %d, want 0", n, d.ID, d.Attempt)
	case e.caps.Attempts == queue.AttemptsFlag && d.Attempt != min(n, 2):
		e.Errorf("Caps.Attempts is flag, and delivery %d of %s has Attempt %d, want %d", n, d.ID, d.Attempt, min(n, 2))
	case e.caps.Attempts == queue.AttemptsExact && d.Attempt != n:
		e.Errorf("delivery %d of %s has Attempt %d", n, d.ID, d.Attempt)
	}
}

// nack: what is given back comes again, every time, and others are not touched.
func nack(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(4)
	e.send(p, ms...)
	ds := e.gather(c, len(ms))
	victim := ds[1]
	e.ack(c, ds[0], ds[2], ds[3])
	for n := 1; n <= 3; n++ {
		e.attempt(&victim, n)
		e.settle(c, queue.Nack(0), victim)
		victim = e.gather(c, 1)[0]
		if victim.ID != ds[1].ID {
			e.Fatalf("message %s was delivered after the nack of %s, though it was acked", victim.ID, ds[1].ID)
		}
		e.same(&victim, find(ms, victim.ID), group)
	}
	e.ack(c, victim)
	e.nothing(c, e.short(), "all was acked, after nacks")
}

func find(ms []queue.Message, id string) *queue.Message {
	for i := range ms {
		if ms[i].ID == id {
			return &ms[i]
		}
	}
	return &queue.Message{}
}

func nackDelay(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(1)
	e.send(p, ms...)
	d := e.gather(c, 1)[0]
	const delay = 600 * time.Millisecond
	due := time.Now().Add(delay)
	e.settle(c, queue.Nack(delay), d)
	d = e.gather(c, 1)[0]
	if early := time.Until(due); early > clockStep {
		e.Errorf("nacked with a delay of %v, and redelivered %v before it was over", delay, early)
	}
	e.attempt(&d, 2)
	e.ack(c, d)
	e.nothing(c, e.short(), "it was acked")
}

// ackTimesOut: what is not settled comes again, not before most of the ack timeout has passed.
func ackTimesOut(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(3)
	sent := time.Now()
	e.send(p, ms...)
	ds := e.gather(c, len(ms))
	e.ack(c, ds[0], ds[2])
	d := e.gather(c, 1)[0]
	if took := time.Since(sent); took < e.h.AckTimeout-clockStep {
		e.Errorf("an unsettled delivery came again %v after its message was sent; the ack timeout is %v", took, e.h.AckTimeout)
	}
	if d.ID != ds[1].ID {
		e.Fatalf("message %s was redelivered, want %s, the only one that was not acked", d.ID, ds[1].ID)
	}
	e.attempt(&d, 2)
	e.ack(c, d)
	e.nothing(c, e.redelivery(), "it was acked")
}

// staleAck: an ack that comes after the redelivery either counts or is reported as stale, and never both delivered again and
// lost.
func staleAck(e *env) {
	c, p := e.consumer(group), e.producer()
	e.send(p, e.messages(1)...)
	old := e.gather(c, 1)[0]
	fresh := e.gather(c, 1)[0] // after the ack timeout
	first := e.settleLoosely(c, old)
	second := e.settleLoosely(c, fresh)
	if first != nil && second != nil {
		e.Fatalf("neither the ack of the old delivery (%v) nor that of the new one (%v) counts", first, second)
	}
	e.nothing(c, e.redelivery(), "one of its two deliveries was acked")
}

// settleLoosely acks one delivery that may be settled already: the error is nil or wraps ErrStale.
func (e *env) settleLoosely(c queue.Consumer, d queue.Delivery) error {
	e.Helper()
	err := errors.Join(e.settleOnce(c, queue.Ack(), []queue.Delivery{d})...)
	if err != nil && !errors.Is(err, queue.ErrStale) {
		e.Fatalf("ack of a delivery that may be settled or redelivered already: %v; want nil or queue.ErrStale", err)
	}
	return err
}

func ackTwice(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(2)
	e.send(p, ms...)
	ds := e.gather(c, len(ms))
	e.ack(c, ds[0])
	_ = e.settleLoosely(c, ds[0])
	e.ack(c, ds[1]) // the session is still whole
	e.nothing(c, e.short(), "it was acked twice")
}

// consumerCloseGivesBack: what a closed session held unsettled goes to another member of the group.
func consumerCloseGivesBack(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(6)
	e.send(p, ms...)
	held := e.gather(c, len(ms))
	e.close("consumer", c)
	other := e.consumer(group)
	for _, d := range e.again(other, ids(held), "it was never sent") {
		if e.caps.Attempts == queue.AttemptsNone {
			e.attempt(&d, 2)
		} else if d.Attempt < 2 {
			e.Errorf("redelivery of %s has Attempt %d", d.ID, d.Attempt)
		}
	}
}
