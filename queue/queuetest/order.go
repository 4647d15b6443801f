package queuetest

import (
	"fmt"

	"github.com/havoqlab/havoq/queue"
)

// order: what is sent one after the other is delivered so, among the messages that Caps.Order names.
func order(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(60)
	setKeys(ms)
	for _, m := range ms {
		e.send(p, m)
	}
	e.inOrder(e.collect(c, group, ms), ms)
}

func batchOrder(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(500)
	setKeys(ms)
	e.send(p, ms[:250]...)
	e.send(p, ms[250:]...)
	e.inOrder(e.collect(c, group, ms), ms)
}

func setKeys(ms []queue.Message) {
	for i := range ms {
		ms[i].Key = fmt.Sprintf("key-%d", i%3)
	}
}

// inOrder verifies that deliveries of the same lane came in the order of sent.
func (e *env) inOrder(got []queue.Delivery, sent []queue.Message) {
	e.Helper()
	place := make(map[string]int, len(sent))
	for i := range sent {
		place[sent[i].ID] = i
	}
	last := make(map[string]int)
	for _, d := range got {
		lane := e.lane(&d)
		before, ok := last[lane]
		if ok && place[d.ID] < before {
			e.Fatalf("Caps.Order is %q, and in %s message %d was delivered after message %d", e.caps.Order, lane, place[d.ID], before)
		}
		last[lane] = place[d.ID]
	}
}

// lane names the messages among which order is promised.
func (e *env) lane(d *queue.Delivery) string {
	switch e.caps.Order {
	case queue.OrderKey:
		return fmt.Sprintf("key %q", d.Key)
	case queue.OrderPartition:
		return fmt.Sprintf("partition %d", d.Partition)
	default:
		return "the topic"
	}
}
