package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// Session identifies one opened Producer or Consumer of a wrapped Queue. It is the same value in every hook call of that
// session, and carries the wrapper's own state.
type Session struct {
	ID    int64 // unique within the wrapped Queue, from 1
	Topic string
	Group string // empty for a producer
	// Client is the name from WithClient of the context that opened the session; empty without one.
	Client string
	// Caps are those of the queue beneath.
	Caps Caps
	// State is the wrapper's own. Its Open hook sets it; after that it must not be changed without a lock. It lives as long as
	// the session, so there is nothing to clean up.
	State any
}

// The next layer's methods, as a hook sees them.
type (
	// ProduceFunc is Producer.Produce.
	ProduceFunc func(ctx context.Context, batch []Message, done func(i int, r Result))
	// ReceiveFunc is Consumer.Receive.
	ReceiveFunc func(ctx context.Context, max int) ([]Delivery, error)
	// SettleFunc is Consumer.Settle.
	SettleFunc func(ctx context.Context, how Settlement, ds []Delivery) []error
	// CloseFunc is Producer.Close or Consumer.Close.
	CloseFunc func(ctx context.Context) error
)

// Hooks intercept the verbs of a Queue's sessions. A nil hook is the inner method itself, and costs nothing. This is the only
// place that lists the verbs: a new one is added here and in the drivers, and no wrapper changes.
//
// A hook calls next to go on, and keeps the contract of the method that it stands for. Hooks are called concurrently.
type Hooks struct {
	// Open runs when a session is opened; next opens it. An error of Open is the error of Producer or Consumer, and closes
	// what next has opened. An Open that returns nil without having opened anything is an error.
	Open    func(ctx context.Context, s *Session, next func(ctx context.Context) error) error
	Produce func(ctx context.Context, s *Session, batch []Message, done func(i int, r Result), next ProduceFunc)
	Receive func(ctx context.Context, s *Session, max int, next ReceiveFunc) ([]Delivery, error)
	Settle  func(ctx context.Context, s *Session, how Settlement, ds []Delivery, next SettleFunc) []error
	// Close runs when a session is closed by itself. Closing the Queue closes the sessions that are still open beneath the
	// hooks, so a wrapper keeps what belongs to a session in Session.State.
	Close func(ctx context.Context, s *Session, next CloseFunc) error
}

// Wrap puts hooks around q, the first one outermost. Closing the result closes q.
func Wrap(q Queue, hooks ...Hooks) Queue {
	for i := len(hooks) - 1; i >= 0; i-- {
		q = &wrapped{Queue: q, hooks: hooks[i]}
	}
	return q
}

type wrapped struct {
	Queue
	hooks Hooks
	last  atomic.Int64
}

func (w *wrapped) Producer(ctx context.Context, topic string) (Producer, error) {
	s := &Session{ID: w.last.Add(1), Topic: topic, Client: clientOf(ctx), Caps: w.Caps()}
	var inner Producer
	err := w.open(ctx, s, func(ctx context.Context) error {
		p, err := w.Queue.Producer(ctx, topic)
		if err == nil { // with an error it may be a nil pointer, which is not a nil Producer
			inner = p
		}
		return err
	})
	if err := opened(ctx, s, inner, inner != nil, err); err != nil {
		return nil, err
	}
	return &wrappedProducer{inner, s, &w.hooks, inner.Produce, inner.Close}, nil
}

func (w *wrapped) Consumer(ctx context.Context, topic, group string) (Consumer, error) {
	s := &Session{ID: w.last.Add(1), Topic: topic, Group: group, Client: clientOf(ctx), Caps: w.Caps()}
	var inner Consumer
	err := w.open(ctx, s, func(ctx context.Context) error {
		c, err := w.Queue.Consumer(ctx, topic, group)
		if err == nil { // as above
			inner = c
		}
		return err
	})
	if err := opened(ctx, s, inner, inner != nil, err); err != nil {
		return nil, err
	}
	return &wrappedConsumer{inner, s, &w.hooks, inner.Receive, inner.Settle, inner.Close}, nil
}

func (w *wrapped) open(ctx context.Context, s *Session, next func(context.Context) error) error {
	if w.hooks.Open == nil {
		return next(ctx)
	}
	return w.hooks.Open(ctx, s, next)
}

// opened says what became of opening a session, which a hook may have refused although next had opened it, or may have said to
// be open although it is not.
func opened(ctx context.Context, s *Session, inner interface{ Close(context.Context) error }, open bool, err error) error {
	switch {
	case err != nil && open:
		return errors.Join(err, inner.Close(ctx))
	case err == nil && !open:
		return fmt.Errorf("open on %q: the Open hook returned nil and did not call next: %w", s.Topic, ErrRefused)
	}
	return err
}

// The inner methods are bound once per session, so that a call through a hook allocates nothing.
type wrappedProducer struct {
	Producer
	session *Session
	hooks   *Hooks
	produce ProduceFunc
	close   CloseFunc
}

func (p *wrappedProducer) Produce(ctx context.Context, batch []Message, done func(i int, r Result)) {
	if p.hooks.Produce == nil {
		p.produce(ctx, batch, done)
		return
	}
	p.hooks.Produce(ctx, p.session, batch, done, p.produce)
}

func (p *wrappedProducer) Close(ctx context.Context) error {
	if p.hooks.Close == nil {
		return p.close(ctx)
	}
	return p.hooks.Close(ctx, p.session, p.close)
}

type wrappedConsumer struct {
	Consumer
	session *Session
	hooks   *Hooks
	receive ReceiveFunc
	settle  SettleFunc
	close   CloseFunc
}

func (c *wrappedConsumer) Receive(ctx context.Context, max int) ([]Delivery, error) {
	if c.hooks.Receive == nil {
		return c.receive(ctx, max)
	}
	return c.hooks.Receive(ctx, c.session, max, c.receive)
}

func (c *wrappedConsumer) Settle(ctx context.Context, how Settlement, ds []Delivery) []error {
	if c.hooks.Settle == nil {
		return c.settle(ctx, how, ds)
	}
	return c.hooks.Settle(ctx, c.session, how, ds, c.settle)
}

func (c *wrappedConsumer) Close(ctx context.Context) error {
	if c.hooks.Close == nil {
		return c.close(ctx)
	}
	return c.hooks.Close(ctx, c.session, c.close)
}

var (
	_ Queue    = (*wrapped)(nil)
	_ Producer = (*wrappedProducer)(nil)
	_ Consumer = (*wrappedConsumer)(nil)
)
