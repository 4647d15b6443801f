// Package memory is the reference implementation of queue.Queue: a broker inside the process, for tests, examples and as the
// baseline of benchmarks. It keeps every contract of package queue to the letter, and nothing beyond the process's life.
//
// A topic exists from its first session on. Every group gets every message that the topic holds when the group's first
// consumer is opened, and every later one. A topic holds a message until every group that exists has acked it, and as long as
// there is no group; so groups that are opened before anything is acked get every message since the topic exists.
// Config.Keep makes that true for groups that come later, too. Groups last: one without consumers keeps its messages.
//
// Messages of a topic are delivered in send order, each to one consumer of a group. A nacked message goes to the end of the
// line, so that others pass it; what timed out, or was given back by Close, goes to its front. An ack that comes after the ack
// timeout is stale, also if nobody has received the message since.
//
// There is no goroutine in the background: one timer a group redelivers, and no lock is held while anything waits, so the
// queue works in testing/synctest bubbles.
package memory

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// ErrFull is the refusal of a message because its topic holds Config.MaxMessages messages.
var ErrFull = fmt.Errorf("queue full: %w", queue.ErrRefused)

// Defaults of Config.
const (
	DefaultAckTimeout  = 30 * time.Second
	DefaultMaxMessages = 1 << 20
)

// Config configures a Queue. The zero value is useful.
type Config struct {
	// AckTimeout is how long a consumer may hold a delivery before it is redelivered. Zero: DefaultAckTimeout.
	AckTimeout time.Duration
	// MaxMessages is how many messages a topic holds; what exceeds it is refused with ErrFull. Zero: DefaultMaxMessages.
	MaxMessages int
	// MaxBody is the largest body in bytes; a larger one is refused. Zero: no limit.
	MaxBody int
	// DedupWindow is how long the ID of a stored message is remembered; a message with the same ID is not stored again
	// meanwhile, and its Result says Duplicate. Messages without an ID are not compared. Zero: no deduplication. At most
	// 1,048,576 IDs of a topic are remembered; beyond that, messages with an ID are refused until the oldest expires.
	DedupWindow time.Duration
	// Keep holds messages also when every group has acked them, for groups that come later. MaxMessages then bounds all
	// that was ever sent to the topic.
	Keep bool
}

// Queue is a broker and the connection to it. It is safe for concurrent use.
type Queue struct {
	config Config

	mu       sync.Mutex
	closed   bool
	topics   map[string]*topic
	sessions map[session]struct{}
}

// session is what Close of the Queue closes.
type session interface{ end(context.Context) error }

// New returns an empty broker. It panics if a value of the configuration is negative.
func New(c Config) *Queue {
	if c.AckTimeout < 0 || c.MaxMessages < 0 || c.MaxBody < 0 || c.DedupWindow < 0 {
		panic(fmt.Sprintf("memory: negative value in %+v: leave it out for the default", c))
	}
	if c.AckTimeout == 0 {
		c.AckTimeout = DefaultAckTimeout
	}
	if c.MaxMessages == 0 {
		c.MaxMessages = DefaultMaxMessages
	}
	return &Queue{config: c, topics: make(map[string]*topic), sessions: make(map[session]struct{})}
}

// Caps says what the memory queue can do: everything but transactions.
func (q *Queue) Caps() queue.Caps {
	return queue.Caps{
		Driver: "memory", ConfirmedSend: true, ConfirmedAck: true,
		Attempts: queue.AttemptsExact, Nack: queue.NackRequeue, NackDelay: true, Delay: math.MaxInt64,
		Order: queue.OrderTopic, BatchOrder: true, HeaderOrder: true, Dedup: q.config.DedupWindow > 0,
		Depth: true, MaxBody: q.config.MaxBody, AckTimeout: q.config.AckTimeout,
	}
}

// Producer opens a session that sends to topic. The topic is created if need be.
func (q *Queue) Producer(ctx context.Context, name string) (queue.Producer, error) {
	t, err := q.open(ctx, "producer", name)
	if err != nil {
		return nil, err
	}
	p := &producer{queue: q, topic: t}
	if err := q.add(p); err != nil {
		return nil, err
	}
	return p, nil
}

// Consumer opens a session that receives from topic as a member of group. Both are created if need be.
func (q *Queue) Consumer(ctx context.Context, name, group string) (queue.Consumer, error) {
	if group == "" {
		return nil, fmt.Errorf("memory: consumer on %q: the group's name is empty: %w", name, queue.ErrRefused)
	}
	t, err := q.open(ctx, "consumer", name)
	if err != nil {
		return nil, err
	}
	c := &consumer{queue: q, group: t.join(group), wake: make(chan struct{}, 1), closed: make(chan struct{})}
	if err := q.add(c); err != nil {
		return nil, err
	}
	return c, nil
}

// open finds or creates the topic.
func (q *Queue) open(ctx context.Context, what, name string) (*topic, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memory: %s on %q: %w", what, name, err)
	}
	if name == "" {
		return nil, fmt.Errorf("memory: %s: the topic's name is empty: %w", what, queue.ErrRefused)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, fmt.Errorf("memory: %s on %q: the queue is closed: %w", what, name, queue.ErrClosed)
	}
	t := q.topics[name]
	if t == nil {
		t = newTopic(name, &q.config)
		q.topics[name] = t
	}
	return t, nil
}

func (q *Queue) add(s session) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return fmt.Errorf("memory: the queue is closed: %w", queue.ErrClosed)
	}
	q.sessions[s] = struct{}{}
	return nil
}

func (q *Queue) remove(s session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.sessions, s)
}

// Depth says how much of topic the group has not acked. Messages that are not due yet count as ready. A topic or group that
// was never opened is an error.
func (q *Queue) Depth(ctx context.Context, name, group string) (queue.Depth, error) {
	unknown := queue.Depth{Ready: -1, InFlight: -1}
	if err := ctx.Err(); err != nil {
		return unknown, fmt.Errorf("memory: depth of %q for %q: %w", name, group, err)
	}
	q.mu.Lock()
	t, closed := q.topics[name], q.closed
	q.mu.Unlock()
	switch {
	case closed:
		return unknown, fmt.Errorf("memory: depth of %q for %q: the queue is closed: %w", name, group, queue.ErrClosed)
	case t == nil:
		return unknown, fmt.Errorf("memory: depth of %q for %q: no such topic: open a producer or consumer first", name, group)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groups[group]
	if g == nil {
		return unknown, fmt.Errorf("memory: depth of %q for %q: no such group: open a consumer first", name, group)
	}
	g.advance(time.Now())
	return queue.Depth{Ready: int64(g.takeable() + len(g.delayed)), InFlight: int64(g.inFlight.n)}, nil
}

// Close closes all sessions, as each one's Close does. What the queue held is gone.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	sessions, topics := q.sessions, q.topics
	q.closed, q.sessions, q.topics = true, nil, nil
	q.mu.Unlock()
	var errs []error
	for s := range sessions {
		errs = append(errs, s.end(ctx))
	}
	for _, t := range topics {
		t.stop()
	}
	return errors.Join(errs...)
}

var _ queue.Queue = (*Queue)(nil)
