package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// openQueue opens a queue by its URL. This switch is the list of drivers.
func openQueue(ctx context.Context, raw string, log *slog.Logger) (queue.Queue, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("queue URL: it does not parse; write it as nats://127.0.0.1:4222")
	}
	switch u.Scheme {
	case "memory":
		if u.Host+u.Path+u.RawQuery != "" {
			return nil, fmt.Errorf("queue URL: memory:// has no host and no options; remove what follows it")
		}
		return memory.New(memory.Config{}), nil
	case "nats", "tls":
		return nats.Open(ctx, nats.Config{URL: raw, Logger: log})
	default:
		return nil, fmt.Errorf("queue URL: no driver for scheme %q; there are memory:// and nats://", u.Scheme)
	}
}
