package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// producer sends to one topic. The queue takes or refuses a batch at once, so its window is never full.
type producer struct {
	queue *Queue
	topic *topic

	mu    sync.Mutex
	ended bool
	calls int           // of Produce whose results are not all told
	idle  chan struct{} // closed when calls gets 0; nil unless Close waits for it
}

// Produce stores the batch and calls done for each message before it returns.
func (p *producer) Produce(ctx context.Context, batch []queue.Message, done func(i int, r queue.Result)) {
	n := len(batch) // the batch is the caller's again after the last done
	if n == 0 {
		return
	}
	if err := p.begin(ctx); err != nil {
		for i := range n {
			done(i, queue.Result{Offset: -1, Err: err})
		}
		return
	}
	defer p.finish()
	first, results := p.topic.admit(batch)
	for i := range n {
		if results == nil {
			done(i, queue.Result{Offset: first + int64(i)})
		} else {
			done(i, results[i])
		}
	}
}

// begin admits a call of Produce, which Close then waits for.
func (p *producer) begin(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return fmt.Errorf("memory: produce to %q: %w", p.topic.name, queue.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory: produce to %q: %w: %w", p.topic.name, err, queue.ErrRefused)
	}
	p.calls++
	return nil
}

func (p *producer) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	if p.calls == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// Close ends the session, and waits until the results of all admitted messages are told, or ctx ends.
func (p *producer) Close(ctx context.Context) error {
	err := p.end(ctx)
	p.queue.remove(p)
	return err
}

func (p *producer) end(ctx context.Context) error {
	p.mu.Lock()
	p.ended = true
	if p.calls == 0 {
		p.mu.Unlock()
		return nil
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("memory: close the producer of %q: %w: a done has not returned", p.topic.name, context.Cause(ctx))
	}
}

// consumer receives as a member of its group. The topic's lock guards receiving and ended.
type consumer struct {
	queue  *Queue
	group  *group
	wake   chan struct{} // there is something to take
	closed chan struct{}

	receiving bool
	ended     bool
}

// Receive returns at most max deliveries, as soon as there is one.
func (c *consumer) Receive(ctx context.Context, max int) ([]queue.Delivery, error) {
	if max < 1 {
		return nil, fmt.Errorf("memory: receive from %q: max is %d, and must be at least 1: %w", c.group.topic.name, max, queue.ErrRefused)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		ds, err := c.take(max)
		if ds != nil || err != nil {
			return ds, err
		}
		select {
		case <-c.wake:
			c.rest(false)
		case <-c.closed:
			c.rest(false) // end has taken c out of the waiters; take says ErrClosed
		case <-ctx.Done():
			c.rest(true)
			return nil, ctx.Err()
		}
	}
}

// take returns what there is, or nothing, and then c is among the waiters.
func (c *consumer) take(max int) ([]queue.Delivery, error) {
	g := c.group
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	switch {
	case c.ended:
		return nil, fmt.Errorf("memory: receive from %q: %w", g.topic.name, queue.ErrClosed)
	case c.receiving:
		return nil, fmt.Errorf("memory: receive from %q: another goroutine receives on this consumer: open one for each: %w",
			g.topic.name, queue.ErrRefused)
	}
	now := time.Now()
	g.advance(now)
	n := min(g.takeable(), max)
	if n == 0 {
		c.receiving = true
		g.waiters = append(g.waiters, c)
		return nil, nil
	}
	ds := g.take(c, n, now)
	g.arm(now)
	g.wakeOne()
	return ds, nil
}

// rest ends the waiting. With leave, c does not take anything now, and is not to be woken.
func (c *consumer) rest(leave bool) {
	c.group.topic.mu.Lock()
	defer c.group.topic.mu.Unlock()
	c.receiving = false
	if leave {
		c.group.leave(c)
	}
}

// Settle settles deliveries of this session. What expired before is stale.
func (c *consumer) Settle(ctx context.Context, how queue.Settlement, ds []queue.Delivery) []error {
	g := c.group
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	var whole error
	if c.ended {
		whole = fmt.Errorf("memory: settle on %q for %q: %w", g.topic.name, g.name, queue.ErrClosed)
	} else if err := ctx.Err(); err != nil {
		whole = fmt.Errorf("memory: settle on %q for %q: %w: %w", g.topic.name, g.name, err, queue.ErrRefused)
	}
	now := time.Now()
	g.advance(now)
	var errs []error
	for i := range ds {
		err := whole
		if err == nil {
			err = g.settle(c, how, &ds[i], now)
		}
		if err != nil {
			if errs == nil {
				errs = make([]error, len(ds))
			}
			errs[i] = err
		}
	}
	g.arm(now)
	g.wakeOne()
	return errs
}

// Close ends the session and gives back what it holds.
func (c *consumer) Close(ctx context.Context) error {
	err := c.end(ctx)
	c.queue.remove(c)
	return err
}

func (c *consumer) end(context.Context) error {
	g := c.group
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	if c.ended {
		return nil
	}
	c.ended = true
	close(c.closed)
	g.leave(c)
	g.giveBackOf(c)
	g.wakeOne() // for what was given back, or what c was woken for and does not take now
	return nil
}

var (
	_ queue.Producer = (*producer)(nil)
	_ queue.Consumer = (*consumer)(nil)
)
