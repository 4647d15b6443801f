package queuetest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// Defects of the connection.

// ownGroup gives every consumer a group of its own.
type ownGroup struct {
	queue.Queue
	n atomic.Int64
}

func (q *ownGroup) Consumer(ctx context.Context, topic, group string) (queue.Consumer, error) {
	if q.n.Add(1) == 1 {
		return q.Queue.Consumer(ctx, topic, group)
	}
	c, err := q.Queue.Consumer(ctx, topic, group+"-"+time.Now().Format(time.RFC3339Nano))
	return queueGroup{c, group}, err
}

// queueGroup says that its deliveries are of another group.
type queueGroup struct {
	queue.Consumer
	group string
}

func (c queueGroup) Receive(ctx context.Context, max int) ([]queue.Delivery, error) {
	ds, err := c.Consumer.Receive(ctx, max)
	for i := range ds {
		ds[i].Group = c.group
	}
	return ds, err
}

// oneGroup lets all groups share.
type oneGroup struct{ queue.Queue }

func (q oneGroup) Consumer(ctx context.Context, topic, group string) (queue.Consumer, error) {
	c, err := q.Queue.Consumer(ctx, topic, "all")
	return queueGroup{c, group}, err
}

func (q oneGroup) Depth(ctx context.Context, topic, _ string) (queue.Depth, error) {
	return q.Queue.Depth(ctx, topic, "all")
}

// shallow says that nothing is there.
type shallow struct{ queue.Queue }

func (shallow) Depth(context.Context, string, string) (queue.Depth, error) { return queue.Depth{}, nil }

// onceOnly cannot be closed twice.
type onceOnly struct {
	queue.Queue
	closed atomic.Bool
}

func (q *onceOnly) Close(ctx context.Context) error {
	if q.closed.Swap(true) {
		return errors.New("close of closed connection")
	}
	return q.Queue.Close(ctx)
}

// boaster declares what it cannot do.
type boaster struct{ queue.Queue }

func (q boaster) Caps() queue.Caps {
	c := q.Queue.Caps()
	c.Dedup, c.MaxBody = true, 4096
	return c
}

func connectionDefects() []defect {
	return []defect{
		{"does not share in a group", func(q queue.Queue) queue.Queue { return &ownGroup{Queue: q} }, []string{"group-shares"}, 0},
		{"shares among groups", func(q queue.Queue) queue.Queue { return oneGroup{q} }, []string{"groups-get-all"}, 0},
		{"reports no depth", func(q queue.Queue) queue.Queue { return shallow{q} }, []string{"depth"}, 0},
		{"cannot be closed twice", func(q queue.Queue) queue.Queue { return &onceOnly{Queue: q} }, []string{"close-twice"}, 0},
		{"keeps unsettled deliveries at Close", func(q queue.Queue) queue.Queue {
			return queue.Wrap(q, queue.Hooks{Close: func(context.Context, *queue.Session, queue.CloseFunc) error { return nil }})
		}, []string{"produce-after-close", "close-while-receiving", "settle-after-close"}, 0},
	}
}
