// Command shop sends orders to the topic "orders", as the web shop's tills do.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/webshop/orders"
)

// patience is how long a customer waits for "thank you for your order".
const patience = 30 * time.Second

func main() {
	rate := flag.Int("rate", 200, "orders a second")
	tills := flag.Int("tills", 8, "orders sent at the same time")
	replicas := flag.Int("replicas", 3, "replicas of the stream, if it has to be made")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rate, *tills, *replicas); err != nil {
		slog.Error("shop: stopped", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rate, tills, replicas int) error {
	if rate < 1 || tills < 1 || rate > 100_000 || tills > 1000 {
		return errors.New("the rate is 1 to 100000, and the tills are 1 to 1000")
	}
	nc, js, err := orders.Connect("shop")
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := orders.Stream(ctx, js, orders.Topic, replicas); err != nil {
		return err
	}
	s := &shop{js: js, day: rand.Text()[:8]}
	slog.Info("shop: open", "rate", rate, "tills", tills)
	var all sync.WaitGroup
	for till := range tills {
		all.Go(func() { s.sell(ctx, till, time.Second*time.Duration(tills)/time.Duration(rate)) })
		orders.Pause(ctx, time.Second/time.Duration(rate)) // so that the tills take turns
	}
	all.Wait()
	slog.Info("shop: closed", "orders", s.sold.Load(), "given-up", s.lost.Load())
	return nil
}

type shop struct {
	js         jetstream.JetStream
	day        string // makes the IDs of one opening different from those of another
	sold, lost atomic.Int64
}

// sell sends an order every interval, until ctx ends.
func (s *shop) sell(ctx context.Context, till int, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		order := orders.Order{
			ID:       fmt.Sprintf("%s-%d-%d", s.day, till, n),
			Customer: fmt.Sprintf("customer-%d", n%97),
			Cents:    int64(100 + n*31%10_000),
		}
		if err := s.send(context.WithoutCancel(ctx), order); err != nil {
			slog.Warn("shop: gave up", "order", order.ID, "error", err)
			s.lost.Add(1)
			continue
		}
		s.sold.Add(1)
	}
}

// send tries until the broker has the order. Every try has the same message ID, so that it is stored once.
func (s *shop) send(ctx context.Context, o orders.Order) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	msg := &nats.Msg{Subject: orders.Topic, Data: body, Header: nats.Header{}}
	msg.Header.Set(orders.IDHeader, o.ID)
	return orders.Retry(ctx, patience, func(ctx context.Context) error {
		_, err := s.js.PublishMsg(ctx, msg, jetstream.WithMsgID(o.ID))
		return err
	})
}
