package observe

import (
	"context"
	"fmt"
	"time"
)

// When a group that the broker does not know is told of: first when the application may only be slow to start, then as what it is.
const (
	groupSoon = time.Second
	groupLate = 10 * time.Second
)

// checkGroup warns as soon as it can be known that the broker does not know the group, or not how far it is, which the drain would
// find out only when all is over. A broker that does not answer is no such case.
func (o *Observer) checkGroup(ctx context.Context) {
	select {
	case <-o.input.there:
	case <-ctx.Done():
		return
	}
	reader, err := o.cfg.Queue.Reader(ctx, o.cfg.Input.Name) // a reader is not asked by two at once
	if err != nil {
		return // the drain meets it, too
	}
	defer func() { _ = reader.Close(context.WithoutCancel(ctx)) }() // it has only asked
	began := time.Now()
	for at := range o.groupChecks(ctx, began) {
		_, last, err := reader.Bounds(ctx)
		if err != nil {
			continue
		}
		left, err := reader.Unfinished(ctx, o.cfg.Group, last)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && left < 0:
			o.cfg.Warn(fmt.Sprintf("the broker cannot say how far %q is, for it acks nothing: without observe.group, observe.grace decides", o.cfg.Group))
			return
		case err == nil:
			return
		case at >= groupLate:
			o.cfg.Warn(fmt.Sprintf("observe.group is wrong, or your application does not work: %s after the topic was there, still %v; the end "+
				"of the run will not be proven", groupLate, err))
			return
		default:
			o.cfg.Warn(fmt.Sprintf("observe.group: %v; this may still come, when your application is up", err))
		}
	}
}

// groupChecks yields soon and late, or what is left of that.
func (o *Observer) groupChecks(ctx context.Context, began time.Time) func(func(time.Duration) bool) {
	return func(yield func(time.Duration) bool) {
		for _, at := range []time.Duration{groupSoon, groupLate} {
			select {
			case <-time.After(time.Until(began.Add(at))):
			case <-ctx.Done():
				return
			}
			if !yield(at) {
				return
			}
		}
	}
}
