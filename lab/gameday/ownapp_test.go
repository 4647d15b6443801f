package gameday_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The application of these tests: this test binary, started anew as "shop", which sends orders, or as "billing", which stores each in
// a table and sends an invoice. It knows nothing of havoq.
const (
	appPart  = "OWN_APP_PART"
	appEarly = "OWN_APP_ACKS_EARLY" // its bug
	appPort  = "OWN_APP_PORT"
)

// ownApp runs the part of the application that this process is, if any.
func ownApp() {
	part := os.Getenv(appPart)
	if part == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := work(ctx, part)
	if err != nil {
		fmt.Fprintln(os.Stderr, part, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func work(ctx context.Context, part string) error {
	nc, err := natsgo.Connect(os.Getenv("NATS_URL"), natsgo.MaxReconnects(-1), natsgo.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	for _, topic := range []string{"orders", "invoices"} {
		err := again(ctx, 20*time.Second, func(ctx context.Context) error {
			_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "the-" + topic, Subjects: []string{topic}, Replicas: 3})
			return err
		})
		if err != nil {
			return err
		}
	}
	switch part {
	case "shop":
		return shop(ctx, js)
	case "billing":
		return billing(ctx, js)
	}
	return errors.New("no such part")
}

func again(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, 2*time.Second)
		err := f(try)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

func send(ctx context.Context, js jetstream.JetStream, topic, id string) error {
	msg := &natsgo.Msg{Subject: topic, Data: fmt.Appendf(nil, `{"order": {"id": %q}}`, id), Header: natsgo.Header{"order-id": {id}}}
	return again(ctx, 30*time.Second, func(ctx context.Context) error {
		_, err := js.PublishMsg(ctx, msg, jetstream.WithMsgID(topic+id))
		return err
	})
}

func shop(ctx context.Context, js jetstream.JetStream) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := send(context.WithoutCancel(ctx), js, "orders", fmt.Sprintf("order-%d-%d", os.Getpid(), n)); err != nil {
			return err
		}
	}
}

func billing(ctx context.Context, js jetstream.JetStream) error {
	db, err := sql.Open("sqlite", "file:billing.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "create table if not exists billed (id text primary key)"); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := consume(ctx, js, db); err != nil {
			fmt.Fprintln(os.Stderr, err) // and again, with a consumer that is made anew
		}
	}
	return nil
}

func consume(ctx context.Context, js jetstream.JetStream, db *sql.DB) error {
	var consumer jetstream.Consumer
	err := again(ctx, 30*time.Second, func(ctx context.Context) (err error) {
		consumer, err = js.CreateOrUpdateConsumer(ctx, "the-orders", jetstream.ConsumerConfig{
			Durable: "billing", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 3 * time.Second,
		})
		return err
	})
	if err != nil {
		return err
	}
	health := http.NewServeMux()
	health.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv(appPort), Handler: health}
	defer server.Close()
	go func() {
		for ctx.Err() == nil && !errors.Is(server.ListenAndServe(), http.ErrServerClosed) { // until the port is free
			<-time.After(50 * time.Millisecond)
		}
	}()
	h := &hands{js: js, db: db, early: os.Getenv(appEarly) != ""}
	for ctx.Err() == nil {
		batch, err := consumer.Fetch(10, jetstream.FetchMaxWait(time.Second), jetstream.FetchHeartbeat(300*time.Millisecond))
		if err != nil {
			return err
		}
		n := 0
		for msg := range batch.Messages() {
			n++
			if err := h.take(context.WithoutCancel(ctx), msg); err != nil {
				fmt.Fprintln(os.Stderr, err) // it comes again
			}
		}
		if n == 0 {
			h.flush(ctx)
		}
		if err := batch.Error(); err != nil {
			return err
		}
	}
	return nil
}

// hands are where orders are between their delivery and the work.
type hands struct {
	js    jetstream.JetStream
	db    *sql.DB
	early bool     // the bug: an order is acked when it is taken in hand, and some are always in hand
	full  []string // acked, and not billed
}

func (h *hands) take(ctx context.Context, msg jetstream.Msg) error {
	id := msg.Headers().Get("order-id")
	if !h.early {
		if err := bill(ctx, h.js, h.db, id); err != nil {
			return err
		}
		return msg.Ack()
	}
	if err := msg.DoubleAck(ctx); err != nil {
		return err
	}
	if h.full = append(h.full, id); len(h.full) <= 5 {
		return nil
	}
	id, h.full = h.full[0], h.full[1:]
	return bill(ctx, h.js, h.db, id)
}

// flush bills what is in hand when nothing more comes.
func (h *hands) flush(ctx context.Context) {
	for _, id := range h.full {
		if err := bill(ctx, h.js, h.db, id); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	h.full = nil
}

func bill(ctx context.Context, js jetstream.JetStream, db *sql.DB, id string) error {
	if _, err := db.ExecContext(ctx, "insert or ignore into billed values (?)", id); err != nil {
		return err
	}
	return send(ctx, js, "invoices", id)
}
