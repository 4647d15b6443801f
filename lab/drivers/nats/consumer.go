package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
)

const (
	checkEvery   = time.Second     // at most so often is the server asked for a consumer that does not answer
	closeTimeout = 2 * time.Second // for giving back what is in hand
)

// consumer is a queue.Consumer: one member of one group.
type consumer struct {
	conn         *Conn
	topic, group string
	settles      *mux

	recv  sync.Mutex // one Receive at a time, and none while Close takes what is in hand
	pull  *puller
	left  time.Time // when the last Receive returned: silence counts only within
	asked time.Time // when the server was last asked for the consumer
	again chan struct{}
	timer *time.Timer

	mu   sync.Mutex
	held map[uint64]string // stream sequence and ack subject of what was handed out and is not settled

	closeOnce sync.Once
	closing   chan struct{}
	closed    chan struct{}
	closeErr  error
}

// receipt is what settles a delivery.
type receipt struct {
	subject string
	seq     uint64
}

// Consumer opens a session that receives from topic as a member of group. Stream and durable consumer are created if they are
// missing; waiting is bounded as for Producer. A new group begins with the first message that the stream still holds.
func (c *Conn) Consumer(ctx context.Context, topic, group string) (queue.Consumer, error) {
	if err := checkName("topic", topic); err != nil {
		return nil, err
	}
	if err := checkName("group", group); err != nil {
		return nil, err
	}
	if err := c.ensureStream(ctx, topic); err != nil {
		return nil, err
	}
	if _, err := c.ensureConsumer(ctx, topic, group); err != nil {
		return nil, err
	}
	k := &consumer{
		conn:    c,
		topic:   topic,
		group:   group,
		again:   make(chan struct{}, 1),
		timer:   time.NewTimer(time.Hour),
		held:    make(map[uint64]string),
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}
	k.timer.Stop()
	var err error
	if k.pull, err = newPuller(c.nc, StreamName(topic), ConsumerName(group)); err != nil {
		return nil, k.error("open", err)
	}
	if k.settles, err = newMux(c.nc, c.cfg.Window, settleRound); err != nil {
		_ = k.pull.sub.Unsubscribe()
		return nil, k.error("open", err)
	}
	if err := c.add(k); err != nil {
		_ = k.pull.sub.Unsubscribe()
		k.settles.stop()
		return nil, err
	}
	return k, nil
}

// Receive implements queue.Consumer. While no broker answers, it waits. It returns at most max deliveries and asks the server
// for no more than max (at most 1024) ahead of the caller.
func (k *consumer) Receive(ctx context.Context, max int) ([]queue.Delivery, error) {
	if max < 1 {
		return nil, k.error("receive", fmt.Errorf("max is %d: want 1 or more: %w", max, queue.ErrRefused))
	}
	k.recv.Lock()
	defer k.recv.Unlock()
	now := time.Now()
	k.pull.heard = k.pull.heard.Add(now.Sub(k.left))
	defer func() { k.left = time.Now() }()
	for {
		if err := k.over(ctx); err != nil {
			return nil, k.error("receive", err)
		}
		if err := k.pull.ask(max, now); err != nil {
			return nil, k.error("receive", err)
		}
		if k.pull.drain(max, now); len(k.pull.ready) > 0 {
			return k.handOut(max)
		}
		if err := k.await(ctx, now); err != nil {
			return nil, err
		}
		now = time.Now()
		if err := k.mend(ctx, now); err != nil {
			return nil, err
		}
	}
}

// over says whether the session or the call is at its end.
func (k *consumer) over(ctx context.Context) error {
	select {
	case <-k.closing:
		return queue.ErrClosed
	default:
		return ctx.Err()
	}
}

// await blocks until a message arrives or there is something to do.
func (k *consumer) await(ctx context.Context, now time.Time) error {
	d := k.pull.next().Sub(now)
	if d <= 0 {
		k.pull.tick(now)
		return nil
	}
	k.timer.Reset(d)
	defer k.timer.Stop()
	select {
	case m := <-k.pull.in:
		k.pull.take(m, time.Now())
	case <-k.timer.C:
		k.pull.tick(time.Now())
	case <-k.again:
		k.pull.giveUp(0, time.Now())
	case <-ctx.Done():
		return k.error("receive", ctx.Err())
	case <-k.closing:
		return k.error("receive", queue.ErrClosed)
	}
	return nil
}

// mend looks after a consumer that the server says was deleted, or that nobody has answered for in two seconds.
func (k *consumer) mend(ctx context.Context, now time.Time) error {
	lost := k.pull.gone || !k.pull.mute.IsZero() && now.Sub(k.pull.mute) >= lostAfter
	if !lost || now.Sub(k.asked) < checkEvery {
		return nil
	}
	k.asked, k.pull.gone = now, false
	err := k.conn.recreateConsumer(ctx, k.topic, k.group)
	k.pull.giveUp(pullPace, time.Now())
	return err
}

// handOut makes deliveries of up to n ready messages.
func (k *consumer) handOut(n int) ([]queue.Delivery, error) {
	n = min(n, len(k.pull.ready))
	out := make([]queue.Delivery, 0, n)
	receipts := make([]receipt, n)
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, m := range k.pull.ready[:n] {
		meta, err := parseAck(m.Reply)
		if err != nil { // never seen: such a message could not be acked, so it is not handed out
			k.conn.cfg.Logger.Error("nats: dropped a message", "topic", k.topic, "error", err)
			continue
		}
		receipts[i] = receipt{subject: m.Reply, seq: meta.seq}
		d := queue.Delivery{
			Topic:   k.topic,
			Group:   k.group,
			Offset:  int64(meta.seq),
			Attempt: meta.attempt,
			Receipt: &receipts[i],
		}
		decode(m.Header, &d.Message, meta.stored)
		d.Body = m.Data
		k.held[meta.seq] = m.Reply
		out = append(out, d)
	}
	rest := copy(k.pull.ready, k.pull.ready[n:])
	clear(k.pull.ready[rest:])
	k.pull.ready = k.pull.ready[:rest]
	if len(out) == 0 {
		return nil, k.error("receive", errors.New("the server sent messages that cannot be acked"))
	}
	return out, nil
}

// ackMeta is what the subject that a message is acked to says.
type ackMeta struct {
	attempt int
	seq     uint64
	stored  time.Time
}

// parseAck reads $JS.ACK.stream.consumer.attempt.stream-seq.consumer-seq.time.pending, or the longer form
// $JS.ACK.domain.account.stream.consumer.attempt.… (and more).
func parseAck(subject string) (ackMeta, error) {
	var fields [16]string
	n := 0
	for f := range strings.SplitSeq(subject, ".") {
		if n < len(fields) {
			fields[n] = f
		}
		n++
	}
	at := 4
	if n >= 11 {
		at = 6
	}
	if n < 9 || fields[0] != "$JS" || fields[1] != "ACK" {
		return ackMeta{}, fmt.Errorf("%q is not a subject to ack to", subject)
	}
	attempt, err1 := strconv.Atoi(fields[at])
	seq, err2 := strconv.ParseUint(fields[at+1], 10, 64)
	nanos, err3 := strconv.ParseInt(fields[at+3], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return ackMeta{}, fmt.Errorf("%q is not a subject to ack to: %w", subject, err)
	}
	return ackMeta{attempt: attempt, seq: seq, stored: time.Unix(0, nanos)}, nil
}

func (k *consumer) error(what string, err error) error {
	return fmt.Errorf("nats: %s %q as %q at %s: %w", what, k.topic, k.group, k.conn.where(), err)
}

func (k *consumer) disconnected() { k.settles.failAll(errDisconnected) }

// reconnected makes Receive ask again: the old requests may have died with the server.
func (k *consumer) reconnected() {
	select {
	case k.again <- struct{}{}:
	default:
	}
}

// Close implements queue.Consumer. What is in hand is given back, so that it is redelivered at once. With a context that has
// already ended it is left to the ack timeout instead, as if the process had died.
func (k *consumer) Close(ctx context.Context) error {
	k.closeOnce.Do(func() {
		defer close(k.closed)
		close(k.closing)
		k.recv.Lock() // Receive has returned
		defer k.recv.Unlock()
		if ctx.Err() == nil {
			k.giveBack(ctx)
		} else {
			_ = k.pull.sub.Unsubscribe()
		}
		if err := k.settles.drain(ctx); err != nil && ctx.Err() == nil {
			k.closeErr = k.error("close", err)
		}
		k.settles.stop()
		k.timer.Stop()
		k.conn.remove(k)
	})
	<-k.closed
	return k.closeErr
}

// giveBack ends the subscription, and naks what arrived and was not handed out and what was handed out and is not settled.
func (k *consumer) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := k.pull.sub.Drain(); err == nil { // the server sends nothing more, and what is on its way still arrives
		_ = k.conn.nc.FlushWithContext(ctx)
	}
	k.pull.drain(len(k.pull.ready)+cap(k.pull.in), time.Now())
	receipts := make([]receipt, 0, len(k.pull.ready))
	for _, m := range k.pull.ready {
		receipts = append(receipts, receipt{subject: m.Reply})
	}
	k.pull.ready = nil
	k.mu.Lock()
	for _, subject := range k.held {
		receipts = append(receipts, receipt{subject: subject})
	}
	k.mu.Unlock()
	if len(receipts) == 0 {
		return
	}
	r := newRound(len(receipts))
	if left := r.run(ctx, k.settles, receipts, nak(0), nil); left > 0 {
		k.conn.cfg.Logger.Info("nats: could not give back all deliveries; the ack timeout redelivers them",
			"topic", k.topic, "group", k.group, "left", left)
	}
}

var (
	_ queue.Consumer = (*consumer)(nil)
	_ queue.Producer = (*producer)(nil)
	_ session        = (*consumer)(nil)
	_ session        = (*producer)(nil)
)
