// Command service is the billing service: for each order of the topic "orders" it stores a row in its SQLite file and sends an
// invoice to the topic "invoices".
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"example.com/webshop/orders"
)

func main() {
	path := flag.String("db", "orders.db", "the SQLite `file`")
	workers := flag.Int("workers", 16, "orders handled at the same time")
	replicas := flag.Int("replicas", 3, "replicas of a stream, if it has to be made")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path, *workers, *replicas); err != nil {
		slog.Error("billing: stopped", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path string, workers, replicas int) error {
	db, err := openDB(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	nc, js, err := orders.Connect("billing")
	if err != nil {
		return err
	}
	defer nc.Close()
	for _, topic := range []string{orders.Topic, orders.Invoices} {
		if err := orders.Stream(ctx, js, topic, replicas); err != nil {
			return err
		}
	}
	b := &billing{db: db, send: sender(js)}
	slog.Info("billing: ready", "workers", workers, "db", path)
	consume(ctx, js, workers, b.handle)
	slog.Info("billing: closed")
	return nil
}
