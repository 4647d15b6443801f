package memory

import (
	"container/heap"
	"errors"
	"fmt"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// group is one group's view of a topic. The topic's lock guards it.
type group struct {
	topic *topic
	name  string

	again    list     // given back by a time-out or a Close: delivered first
	fresh    list     // never delivered, or nacked: in line
	delayed  schedule // not due yet
	inFlight list     // delivered and not settled, in the order of their deadlines

	waiters []*consumer // in Receive, with nothing to take
	timer   *time.Timer // calls ring; nil until first needed
	alarm   time.Time   // when the timer fires; zero: it is not running
}

// item is one message in one group. It is in exactly one of the group's lists until it is acked.
type item struct {
	entry      *entry
	at         time.Time // in flight: the deadline; delayed: when it is due
	attempt    int
	inFlight   bool
	holder     *consumer // while in flight
	prev, next *item
}

// receipt says which delivery of an item is meant.
type receipt struct {
	item    *item
	holder  *consumer
	attempt int
}

// enter puts a message that is new to the group in line.
func (g *group) enter(it *item, e *entry, now time.Time) {
	it.entry = e
	e.unfinished++
	g.queue(it, e.message.NotBefore, now)
}

// queue puts an item in line, or on the schedule if it is not due yet.
func (g *group) queue(it *item, due, now time.Time) {
	if due.After(now) {
		it.at = due
		heap.Push(&g.delayed, it)
		return
	}
	g.fresh.push(it)
}

// takeable is how many messages can be delivered now.
func (g *group) takeable() int { return g.again.n + g.fresh.n }

// advance moves what time has moved: expired deliveries to the front, and what is due to the end of the line.
func (g *group) advance(now time.Time) {
	for it := g.inFlight.first; it != nil && !it.at.After(now); it = g.inFlight.first {
		g.giveBack(it)
	}
	for len(g.delayed) > 0 && !g.delayed[0].at.After(now) {
		g.fresh.push(heap.Pop(&g.delayed).(*item))
	}
}

func (g *group) giveBack(it *item) {
	g.inFlight.remove(it)
	it.inFlight, it.holder = false, nil
	g.again.push(it)
}

// giveBackOf gives back all that c holds, in the order of delivery.
func (g *group) giveBackOf(c *consumer) {
	for it := g.inFlight.first; it != nil; {
		next := it.next
		if it.holder == c {
			g.giveBack(it)
		}
		it = next
	}
}

// take delivers the next n messages to c.
func (g *group) take(c *consumer, n int, now time.Time) []queue.Delivery {
	ds := make([]queue.Delivery, n)
	receipts := make([]receipt, n)
	deadline := now.Add(g.topic.config.AckTimeout)
	for i := range ds {
		from := &g.again
		if from.n == 0 {
			from = &g.fresh
		}
		it := from.first
		from.remove(it)
		it.attempt++
		it.at, it.inFlight, it.holder = deadline, true, c
		g.inFlight.push(it)
		receipts[i] = receipt{it, c, it.attempt}
		ds[i] = queue.Delivery{
			Message: it.entry.message, Topic: g.topic.name, Group: g.name,
			Offset: it.entry.offset, Attempt: it.attempt, Receipt: &receipts[i],
		}
	}
	return ds
}

var (
	errForeign = errors.New("the receipt is not of a memory queue")
	errExpired = fmt.Errorf("the delivery was settled before, or its ack timeout has passed: %w", queue.ErrStale)
	errOthers  = fmt.Errorf("the delivery was made to another consumer: %w", queue.ErrStale)
)

// settle settles one delivery of c.
func (g *group) settle(c *consumer, how queue.Settlement, d *queue.Delivery, now time.Time) error {
	r, ok := d.Receipt.(*receipt)
	switch {
	case !ok || r == nil:
		return fmt.Errorf("memory: settle on %q for %q: %w: %w", g.topic.name, g.name, errForeign, queue.ErrRefused)
	case r.holder != c:
		return fmt.Errorf("memory: settle on %q for %q: %w", g.topic.name, g.name, errOthers)
	case !r.item.inFlight || r.item.attempt != r.attempt:
		return fmt.Errorf("memory: settle on %q for %q: %w", g.topic.name, g.name, errExpired)
	}
	it := r.item
	g.inFlight.remove(it)
	it.inFlight, it.holder = false, nil
	if !how.Ack {
		g.queue(it, now.Add(how.After), now)
		return nil
	}
	e := it.entry
	it.entry = nil
	g.topic.finish(e)
	return nil
}
