package oracle_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// flaw is a bug of a queue. Its functions are called one at a time; nil: as it should be.
type flaw struct {
	// send says what is stored for a message, and the answer, if it is not the broker's own to the first that is stored.
	send func(m queue.Message) (store []queue.Message, answer *queue.Result)
	// answer changes the broker's answer.
	answer func(m queue.Message, r queue.Result) queue.Result
	// close says what is stored when a producer ends.
	close func() []queue.Message
	// deliver says what is delivered for a delivery. More than one are copies. The queue takes what is not delivered for acked.
	deliver func(c *flawedConsumer, d queue.Delivery) []queue.Delivery
	// batch changes the order of deliveries.
	batch func(ds []queue.Delivery)
	// settle says whether the flaw answers for a settlement, with err.
	settle func(c *flawedConsumer, how queue.Settlement, d queue.Delivery) (mine bool, err error)
	// acked is told of every ack that the broker confirmed.
	acked func(c *flawedConsumer, d queue.Delivery)
	// left is told what a consumer has in hand when it ends. What it returns is acked.
	left func(c *flawedConsumer, held []queue.Delivery) []queue.Delivery
	// empty is told when the broker says that it holds nothing for a group.
	empty func(group string)

	mu       sync.Mutex
	struck   int64                       // how often
	sessions map[string]int64            // by group: consumers opened
	extra    map[string][]queue.Delivery // by group or session: to be delivered beside the rest
}

// add lets a copy be delivered to a group, or to a session. Its settling goes nowhere.
func (f *flaw) add(to string, d queue.Delivery) {
	if f.extra == nil {
		f.extra = make(map[string][]queue.Delivery)
	}
	d.Receipt = ghost{}
	f.extra[to] = append(f.extra[to], d)
}

// ghost is the receipt of a delivery that the broker knows nothing of.
type ghost struct{}

func (f *flaw) plant(q queue.Queue) queue.Queue { return &flawedQueue{q, f} }

type flawedQueue struct {
	queue.Queue
	flaw *flaw
}

type flawedProducer struct {
	queue.Producer
	flaw *flaw
}

type flawedConsumer struct {
	queue.Consumer
	flaw    *flaw
	group   string
	session int64
	held    []queue.Delivery
}

func (q *flawedQueue) Producer(ctx context.Context, topic string) (queue.Producer, error) {
	p, err := q.Queue.Producer(ctx, topic)
	return &flawedProducer{p, q.flaw}, err
}

func (q *flawedQueue) Consumer(ctx context.Context, topic, group string) (queue.Consumer, error) {
	c, err := q.Queue.Consumer(ctx, topic, group)
	q.flaw.mu.Lock()
	defer q.flaw.mu.Unlock()
	if q.flaw.sessions == nil {
		q.flaw.sessions = make(map[string]int64)
	}
	q.flaw.sessions[group]++
	return &flawedConsumer{Consumer: c, flaw: q.flaw, group: group, session: q.flaw.sessions[group]}, err
}

func (q *flawedQueue) Depth(ctx context.Context, topic, group string) (queue.Depth, error) {
	d, err := q.Queue.Depth(ctx, topic, group)
	q.flaw.mu.Lock()
	defer q.flaw.mu.Unlock()
	if q.flaw.empty != nil && err == nil && d.Total() == 0 {
		q.flaw.empty(group)
	}
	return d, err
}

func (p *flawedProducer) Produce(ctx context.Context, batch []queue.Message, done func(int, queue.Result)) {
	for i, m := range batch {
		store, answer := []queue.Message{m}, (*queue.Result)(nil)
		if p.flaw.send != nil {
			p.flaw.mu.Lock()
			store, answer = p.flaw.send(m)
			p.flaw.mu.Unlock()
		}
		if results := queue.Send(ctx, p.Producer, store...); answer == nil {
			answer = &results[0]
		}
		if p.flaw.answer != nil {
			p.flaw.mu.Lock()
			*answer = p.flaw.answer(m, *answer)
			p.flaw.mu.Unlock()
		}
		done(i, *answer)
	}
}

func (p *flawedProducer) Close(ctx context.Context) error {
	if p.flaw.close != nil {
		p.flaw.mu.Lock()
		store := p.flaw.close()
		p.flaw.mu.Unlock()
		queue.Send(ctx, p.Producer, store...)
	}
	return p.Producer.Close(ctx)
}

func (c *flawedConsumer) Receive(ctx context.Context, most int) ([]queue.Delivery, error) {
	for {
		if ds := c.copies(most); len(ds) > 0 {
			return ds, nil
		}
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond) // copies may come meanwhile
		ds, err := c.Consumer.Receive(short, most)
		over := short.Err() != nil && ctx.Err() == nil
		cancel()
		if err != nil && !over {
			return nil, err
		}
		if ds = c.change(ctx, ds); len(ds) > 0 {
			return ds, nil
		}
	}
}

func (c *flawedConsumer) copies(most int) []queue.Delivery {
	c.flaw.mu.Lock()
	defer c.flaw.mu.Unlock()
	for _, to := range []string{c.group, fmt.Sprint(c.group, c.session)} {
		if all := c.flaw.extra[to]; len(all) > 0 {
			n := min(most, len(all))
			c.flaw.extra[to] = all[n:]
			return all[:n:n]
		}
	}
	return nil
}

func (c *flawedConsumer) change(ctx context.Context, ds []queue.Delivery) []queue.Delivery {
	c.flaw.mu.Lock()
	defer c.flaw.mu.Unlock()
	c.held = append(c.held, ds...)
	if c.flaw.batch != nil {
		c.flaw.batch(ds)
	}
	if c.flaw.deliver == nil {
		return ds
	}
	var out []queue.Delivery
	for i := range ds {
		instead := c.flaw.deliver(c, ds[i])
		if len(instead) == 0 {
			c.Consumer.Settle(ctx, queue.Ack(), ds[i:i+1])
			continue
		}
		out = append(out, instead[0])
		for _, d := range instead[1:] {
			c.flaw.add(c.group, d)
		}
	}
	return out
}

func (c *flawedConsumer) Settle(ctx context.Context, how queue.Settlement, ds []queue.Delivery) []error {
	c.flaw.mu.Lock()
	defer c.flaw.mu.Unlock()
	errs := make([]error, len(ds))
	for i, d := range ds {
		errs[i] = c.settle(ctx, how, d)
	}
	return errs
}

func (c *flawedConsumer) settle(ctx context.Context, how queue.Settlement, d queue.Delivery) error {
	c.held = slices.DeleteFunc(c.held, func(h queue.Delivery) bool { return h.ID == d.ID })
	if c.flaw.settle != nil {
		if mine, err := c.flaw.settle(c, how, d); mine {
			return err
		}
	}
	if _, ok := d.Receipt.(ghost); ok {
		return nil
	}
	if errs := c.Consumer.Settle(ctx, how, []queue.Delivery{d}); errs != nil {
		return errs[0]
	}
	if how.Ack && c.flaw.acked != nil {
		c.flaw.acked(c, d)
	}
	return nil
}

func (c *flawedConsumer) Close(ctx context.Context) error {
	c.flaw.mu.Lock()
	if c.flaw.left != nil {
		c.Consumer.Settle(ctx, queue.Ack(), c.flaw.left(c, c.held))
	}
	c.flaw.mu.Unlock()
	return c.Consumer.Close(ctx)
}

var (
	_ queue.Queue    = (*flawedQueue)(nil)
	_ queue.Producer = (*flawedProducer)(nil)
	_ queue.Consumer = (*flawedConsumer)(nil)
)
