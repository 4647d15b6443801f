package queuetest

import (
	"context"

	"github.com/havoqlab/havoq/queue"
)

// PassThrough returns hooks that are all set and only call next: a wrapper that must be invisible.
func PassThrough() queue.Hooks {
	return queue.Hooks{
		Open: func(ctx context.Context, _ *queue.Session, next func(context.Context) error) error { return next(ctx) },
		Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			next(ctx, batch, done)
		},
		Receive: func(ctx context.Context, _ *queue.Session, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			return next(ctx, max)
		},
		Settle: func(ctx context.Context, _ *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			return next(ctx, how, ds)
		},
		Close: func(ctx context.Context, _ *queue.Session, next queue.CloseFunc) error { return next(ctx) },
	}
}
