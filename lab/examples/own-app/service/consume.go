package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/webshop/orders"
)

const (
	handleTimeout = 4 * time.Second
	ackWait       = 5 * time.Second // an order that is not acked by then is delivered again
	tryAgain      = time.Second
)

type handler func(context.Context, orders.Order) error

// consume hands every order to handle, workers at a time, until ctx ends and the orders in hand are done. An order is acked when
// it is handled; until then the broker keeps it, and delivers it again.
func consume(ctx context.Context, js jetstream.JetStream, workers int, handle handler) {
	work := make(chan jetstream.Msg)
	var pool sync.WaitGroup
	for range workers {
		pool.Go(func() {
			for msg := range work {
				serve(context.WithoutCancel(ctx), msg, handle)
			}
		})
	}
	for ctx.Err() == nil {
		if err := receive(ctx, js, 2*workers, work); err != nil {
			slog.Warn("billing: will receive again", "error", err)
			orders.Pause(ctx, tryAgain)
		}
	}
	close(work)
	pool.Wait()
}

// receive passes orders to work until ctx ends, or the broker has no consumer for us any more.
func receive(ctx context.Context, js jetstream.JetStream, ahead int, work chan<- jetstream.Msg) error {
	consumer, err := js.CreateOrUpdateConsumer(ctx, orders.Topic, jetstream.ConsumerConfig{
		Durable:   "billing",
		AckPolicy: jetstream.AckExplicitPolicy,
		AckWait:   ackWait,
	})
	if err != nil {
		return fmt.Errorf("consumer of %q: %w", orders.Topic, err)
	}
	incoming, err := consumer.Messages(jetstream.PullMaxMessages(ahead), jetstream.PullExpiry(5*time.Second),
		jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return fmt.Errorf("consumer of %q: %w", orders.Topic, err)
	}
	defer incoming.Stop()
	for {
		msg, err := incoming.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive from %q: %w", orders.Topic, err)
		}
		work <- msg
	}
}

func serve(ctx context.Context, msg jetstream.Msg, handle handler) {
	var order orders.Order
	if err := json.Unmarshal(msg.Data(), &order); err != nil || order.ID == "" {
		slog.Error("billing: not an order, put aside", "error", err)
		_ = msg.Term() // it will not be better the next time
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handleTimeout)
	defer cancel()
	if err := handle(ctx, order); err != nil {
		slog.Warn("billing: will try again", "order", order.ID, "error", err)
		_ = msg.NakWithDelay(tryAgain) // if this is lost, the order comes again after ackWait
		return
	}
	_ = msg.Ack() // if this is lost, the order comes again after ackWait
}
