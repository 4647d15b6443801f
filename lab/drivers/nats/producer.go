package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
)

const (
	offlinePoll = 10 * time.Millisecond // how often a send tries again while the client is not connected
	leaderGrace = 250 * time.Millisecond
	lostAfter   = 2 * time.Second // no stream for so long: ask whether it still exists
)

var errNotBefore = errors.New("NotBefore is set: delayed sends are not supported by this driver (Caps.Delay is 0)")

// producer is a queue.Producer on one topic.
type producer struct {
	conn    *Conn
	topic   string
	subject string
	ack     []byte // what a PubAck of this stream begins with
	mux     *mux
	elected *natsgo.Subscription

	closeOnce sync.Once
	closing   chan struct{} // Close was called
	closed    chan struct{} // Close is done
	closeErr  error

	send sync.Mutex // guards enc and msg; the client serialises publishes anyway
	enc  encoder
	msg  natsgo.Msg

	homeless atomic.Int64 // Unix nanoseconds of the first of the 503s in a row; 0: none
	checking atomic.Bool
}

// Producer opens a session that sends to topic; the stream is created if it is missing. Until ctx ends, at most 30 seconds, it
// waits for a cluster that has no quorum or not yet enough nodes.
func (c *Conn) Producer(ctx context.Context, topic string) (queue.Producer, error) {
	if err := checkName("topic", topic); err != nil {
		return nil, err
	}
	if err := c.ensureStream(ctx, topic); err != nil {
		return nil, err
	}
	p := &producer{
		conn:    c,
		topic:   topic,
		subject: SubjectName(topic),
		ack:     ackPrefix(StreamName(topic)),
		closing: make(chan struct{}),
		closed:  make(chan struct{}),
	}
	var err error
	if p.mux, err = newMux(c.nc, c.cfg.Window, c.cfg.SendTimeout); err != nil {
		return nil, fmt.Errorf("nats: producer of %q at %s: %w", topic, c.where(), err)
	}
	// A new leader answers nothing that was sent to the old one. Where the account may not see advisories, SendTimeout is left.
	p.elected, err = c.nc.Subscribe("$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."+StreamName(topic), func(*natsgo.Msg) {
		p.mux.hurry(errNewLeader, min(leaderGrace, c.cfg.SendTimeout))
	})
	if err != nil {
		p.mux.stop()
		return nil, fmt.Errorf("nats: producer of %q at %s: %w", topic, c.where(), err)
	}
	if err := c.add(p); err != nil {
		_ = p.elected.Unsubscribe()
		p.mux.stop()
		return nil, err
	}
	return p, nil
}

// sending is one call of Produce.
type sending struct {
	p    *producer
	done func(i int, r queue.Result)
	left atomic.Int64 // results still to come, and one for Produce itself
	stop func() bool  // ends the watch on the call's context; nil: there is none
}

// Produce implements queue.Producer.
func (p *producer) Produce(ctx context.Context, batch []queue.Message, done func(i int, r queue.Result)) {
	s := &sending{p: p, done: done}
	s.left.Store(int64(len(batch)) + 1)
	if ctx.Done() != nil {
		s.stop = context.AfterFunc(ctx, func() { s.abandon(ctx) })
	}
	giveUp := time.Time{} // set by the first message that finds no connection
	for i := range batch {
		slot, err := p.admit(ctx)
		if err == nil {
			err = p.publish(ctx, s, i, &batch[i], slot, &giveUp)
		}
		if err != nil {
			s.result(i, failed(err))
		}
	}
	s.finished()
}

// admit waits for room in the window.
func (p *producer) admit(ctx context.Context) (int32, error) {
	if err := ctx.Err(); err != nil {
		return 0, p.error(context.Cause(ctx), queue.ErrRefused)
	}
	select {
	case <-p.closing:
		return 0, p.error(nil, queue.ErrClosed)
	default:
	}
	select {
	case slot := <-p.mux.free:
		return slot, nil
	default:
	}
	select {
	case slot := <-p.mux.free:
		if ctx.Err() == nil {
			return slot, nil
		}
		p.mux.release(slot) // the end of the context freed it
		return 0, p.error(fmt.Errorf("no room in the window of %d: %w", cap(p.mux.free), context.Cause(ctx)), queue.ErrRefused)
	case <-ctx.Done():
		return 0, p.error(fmt.Errorf("no room in the window of %d: %w", cap(p.mux.free), context.Cause(ctx)), queue.ErrRefused)
	case <-p.closing:
		return 0, p.error(nil, queue.ErrClosed)
	}
}

// publish writes one message and leaves its slot waiting for the answer. An error is the message's result, and the slot is
// free again.
func (p *producer) publish(ctx context.Context, s *sending, i int, m *queue.Message, slot int32, giveUp *time.Time) error {
	if err := p.carries(m); err != nil {
		p.mux.release(slot)
		return p.error(err, queue.ErrRefused)
	}
	for {
		err, sent := p.write(s, i, m, slot)
		if sent {
			if ctx.Err() != nil { // it may have ended just before the registration: the watch did not see this one
				s.abandon(ctx)
			}
			return nil
		}
		if !offline(err) {
			p.mux.release(slot)
			if unwritten(err) {
				return p.error(err, queue.ErrRefused)
			}
			return p.error(err, queue.ErrUnconfirmed)
		}
		if giveUp.IsZero() {
			*giveUp = time.Now().Add(p.conn.cfg.SendTimeout)
		}
		if why := p.pause(ctx, *giveUp); why != nil {
			p.mux.release(slot)
			if errors.Is(why, queue.ErrClosed) {
				return p.error(nil, queue.ErrClosed)
			}
			return p.error(fmt.Errorf("not connected: %w", why), queue.ErrRefused)
		}
	}
}

// carries says why a message cannot be sent at all.
func (p *producer) carries(m *queue.Message) error {
	switch {
	case !m.NotBefore.IsZero():
		return errNotBefore
	case len(m.Body) > p.conn.maxBody:
		return fmt.Errorf("a body of %d bytes: at most %d fit (the server's max_payload, less room for headers)", len(m.Body), p.conn.maxBody)
	}
	return nil
}

// write registers the slot and hands the message to the client. sent is true also where somebody else has already ended the
// request, since that one has told the result.
func (p *producer) write(s *sending, i int, m *queue.Message, slot int32) (err error, sent bool) {
	reply, token := p.mux.register(slot, s, i)
	p.send.Lock()
	p.msg = natsgo.Msg{Subject: p.subject, Reply: reply, Data: m.Body, Header: p.enc.encode(m, time.Now)}
	err = p.conn.nc.PublishMsg(&p.msg)
	p.msg.Data = nil // lent
	p.send.Unlock()
	return err, err == nil || !p.mux.unregister(token)
}

var errWaitedForServer = errors.New("no server could be reached within SendTimeout")

// pause waits a little for the connection to come back.
func (p *producer) pause(ctx context.Context, giveUp time.Time) error {
	if !time.Now().Before(giveUp) {
		return errWaitedForServer
	}
	t := time.NewTimer(offlinePoll)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.closing:
		return queue.ErrClosed
	}
}

// abandon ends what the call has in flight, because its context has ended.
func (s *sending) abandon(ctx context.Context) {
	s.p.mux.fail(context.Cause(ctx), func(w *slot) bool { return w.w == waiter(s) })
}

// answered implements waiter.
func (s *sending) answered(i int, m *natsgo.Msg, err error) {
	p := s.p
	if err != nil {
		s.result(i, failed(p.error(err, queue.ErrUnconfirmed)))
		return
	}
	if seq, ok := quickAck(p.ack, m.Data); ok {
		if p.homeless.Load() != 0 {
			p.homeless.Store(0)
		}
		s.result(i, queue.Result{Offset: seq})
		return
	}
	if noResponders(m) {
		p.checkHome()
	}
	s.result(i, resultOf(m, p.error))
}

func (s *sending) result(i int, r queue.Result) {
	s.done(i, r)
	s.finished()
}

// finished counts one result, or the end of Produce; the last one ends the watch on the context.
func (s *sending) finished() {
	if s.left.Add(-1) == 0 && s.stop != nil {
		s.stop()
	}
}

// checkHome asks, after two seconds of nothing but 503, whether the stream still exists, and creates it again if the cluster
// proves that it is gone.
func (p *producer) checkHome() {
	now := time.Now().UnixNano()
	if p.homeless.CompareAndSwap(0, now) || now-p.homeless.Load() < int64(lostAfter) || !p.checking.CompareAndSwap(false, true) {
		return
	}
	p.conn.check(func(ctx context.Context) {
		p.conn.recreateStream(ctx, p.topic)
		p.homeless.Store(0)
		p.checking.Store(false)
	})
}

func (p *producer) error(cause, outcome error) error {
	if cause == nil {
		return fmt.Errorf("nats: produce to %q: %w", p.topic, outcome)
	}
	return fmt.Errorf("nats: produce to %q at %s: %w: %w", p.topic, p.conn.where(), cause, outcome)
}

func (p *producer) disconnected() { p.mux.failAll(errDisconnected) }
func (p *producer) reconnected()  {}

// Close implements queue.Producer: it waits for the results of all admitted messages; what has none when ctx ends is reported
// as unconfirmed, and that is the error.
func (p *producer) Close(ctx context.Context) error {
	p.closeOnce.Do(func() {
		defer close(p.closed)
		close(p.closing)
		if err := p.mux.drain(ctx); err != nil {
			p.closeErr = fmt.Errorf("nats: close the producer of %q: %w: messages in flight are reported as not confirmed", p.topic, err)
		}
		_ = p.elected.Unsubscribe()
		p.mux.stop()
		p.conn.remove(p)
	})
	<-p.closed
	return p.closeErr
}
