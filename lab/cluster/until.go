package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// until asks look every so often until it returns nil, or a final error, or ctx is over; then the last answer is the error.
func until(ctx context.Context, every time.Duration, look func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		var end final
		if errors.As(err, &end) {
			return end.error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// final is an answer that waiting cannot change.
type final struct{ error }
