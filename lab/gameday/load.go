package gameday

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
)

// window is how many messages of one producer are on the way or wait for a retry. While the broker is away all of them are
// tried again and again: more of them would only keep the machine from electing a leader.
const window = 256

func (r *run) startLoad(ctx context.Context) error {
	opening, cancel := r.within(ctx, r.limits.start)
	defer cancel()
	q, err := r.cfg.Open(opening, r.target.queueURL(r.cfg.Scenario), r.log)
	if err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	if r.cfg.Scenario.Workload.IsExternal() {
		err = r.observeLoad(ctx, q)
	} else {
		err = r.startOwn(opening, q)
	}
	if err != nil {
		ctx, cancel := r.within(context.WithoutCancel(ctx), r.limits.close)
		defer cancel()
		return errors.Join(fmt.Errorf("start the load: %w", err), q.Close(ctx))
	}
	r.tell(Progress{Kind: Loading})
	return nil
}

// observeLoad has the user's application for the load.
func (r *run) observeLoad(ctx context.Context, q queue.Queue) error {
	x, err := r.startExternal(ctx, q)
	if err != nil {
		return err
	}
	r.queue, r.load = q, x
	return nil
}

// startOwn starts havoq's own load, with a recorder around its queue.
func (r *run) startOwn(ctx context.Context, q queue.Queue) error {
	if err := r.checkOrder(q.Caps()); err != nil {
		return err
	}
	r.queue = queue.Wrap(q, history.Hooks(history.Config{
		Recorder: r.recorder, Run: r.id, Start: r.history.Start(),
		Stream: func(string) uint16 { return 0 },
	}))
	own, err := workload.Start(ctx, r.workloadConfig())
	if err != nil {
		return err
	}
	r.load = own
	return nil
}

// checkOrder refuses a promise of order that the opened queue cannot keep, whatever the scenario's reader believed of it.
func (r *run) checkOrder(caps queue.Caps) error {
	s := r.cfg.Scenario
	order, consumers := s.Contract.Order, s.Workload.Consumers
	switch {
	case order == "":
		return nil
	case caps.Order == queue.OrderTopic && consumers == 1:
		return nil
	case caps.Order == queue.OrderTopic:
		return fmt.Errorf("contract.order: %s: %s keeps the order for one consumer of a group, and the workload has %d; "+
			"set workload.consumers to 1, or drop contract.order", order, caps.Driver, consumers)
	case order == "key" && (caps.Order == queue.OrderKey || caps.Order == queue.OrderPartition):
		return nil
	}
	return fmt.Errorf("contract.order: %s: %s keeps the order of: %s; drop contract.order", order, caps.Driver, caps.Order)
}

func (r *run) workloadConfig() workload.Config {
	w := r.cfg.Scenario.Workload
	return workload.Config{
		Queue: r.queue, Recorder: r.recorder, Run: r.id, Start: r.history.Start(),
		Topic: r.topic, Group: group,
		Producers: w.Producers, Consumers: w.Consumers,
		Rate: float64(w.Rate), Size: int(w.Size), Keys: w.Keys,
		Ordered: r.cfg.Scenario.Contract.Order != "",
		Work:    time.Duration(w.Work), AckEarly: w.Ack == "early",
		Retry: time.Duration(w.Retry), Backlog: w.Backlog, Window: window, Seed: r.seed, Logger: r.log,
	}
}

// finishLoad stops the producers, drains the queue, and closes what the load had open. In a run that is ended early, before
// or meanwhile, it only looks whether the queue is nearly empty, instead of waiting for it.
func (r *run) finishLoad(parent context.Context, early bool) {
	finish, drain := r.limits.finish, r.limits.drain
	if early {
		finish, drain = min(finish, endedLimit), min(drain, endedLimit)
	}
	ctx, cancel := grace(parent, 2*endedLimit)
	defer cancel()
	r.recorder.Record(history.Event{Kind: history.Phase, Name: "drain"})
	r.tell(Progress{Kind: Draining})
	stopping, done := r.within(ctx, finish)
	if err := r.load.StopProducers(stopping); err != nil {
		r.note("havoq", err.Error())
	}
	done()
	drained := r.load.Drain(ctx, drain)
	r.tell(Progress{Kind: Drained, Text: drained.String()})
	r.recorder.Record(history.Event{Kind: history.Phase})
	closing, done := r.within(context.WithoutCancel(parent), r.limits.close)
	defer done()
	if err := errors.Join(r.load.Close(closing), r.queue.Close(closing)); err != nil {
		r.note("havoq", "close the load: "+err.Error())
	}
}

// within bounds a step of the run; the error of an expiry says by how much.
func (r *run) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %s", limit))
}
