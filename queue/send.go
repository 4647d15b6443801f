package queue

import (
	"context"
	"errors"
	"iter"
	"sync"
)

// Send produces the messages as one batch and waits for all their results, in the order of the messages. It returns when the
// last is known; ctx and the driver's time-out bound the wait.
func Send(ctx context.Context, p Producer, messages ...Message) []Result {
	results := make([]Result, len(messages))
	var pending sync.WaitGroup
	pending.Add(len(messages))
	p.Produce(ctx, messages, func(i int, r Result) {
		results[i] = r
		pending.Done()
	})
	pending.Wait()
	return results
}

// Deliveries ranges over what c receives, one delivery at a time, until ctx ends, c is closed, or the loop breaks. An error of
// Receive is yielded with a zero Delivery; the loop decides whether to go on. The caller settles each delivery.
func Deliveries(ctx context.Context, c Consumer) iter.Seq2[Delivery, error] {
	return func(yield func(Delivery, error) bool) {
		for {
			ds, err := c.Receive(ctx, 1)
			if err != nil {
				if !yield(Delivery{}, err) || ctx.Err() != nil || errors.Is(err, ErrClosed) {
					return
				}
				continue
			}
			for _, d := range ds {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}
