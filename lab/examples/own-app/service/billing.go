package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"example.com/webshop/orders"
)

// pdfTime is what the PDF of an invoice takes. The renderer itself is not part of this example.
const pdfTime = 40 * time.Millisecond

// billing handles orders; its methods may be called from several goroutines.
type billing struct {
	db   *sql.DB
	send func(context.Context, orders.Invoice) error // returns nil when the broker has the invoice
}

func openDB(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // SQLite has one writer at a time
	_, err = db.ExecContext(ctx, `create table if not exists orders (
		order_id text primary key, customer text not null, cents integer not null, stored_at text not null default current_timestamp)`)
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("prepare %s: %w", path, err)
	}
	return db, nil
}

// store writes o to the table. isNew is false if it is there already.
func (b *billing) store(ctx context.Context, o orders.Order) (isNew bool, err error) {
	res, err := b.db.ExecContext(ctx, `insert into orders (order_id, customer, cents) values (?, ?, ?) on conflict do nothing`,
		o.ID, o.Customer, o.Cents)
	if err != nil {
		return false, fmt.Errorf("store order: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// invoice makes the invoice of o and sends it.
func (b *billing) invoice(ctx context.Context, o orders.Order) error {
	orders.Pause(ctx, pdfTime)
	if err := b.send(ctx, orders.NewInvoice(o)); err != nil {
		return fmt.Errorf("send invoice: %w", err)
	}
	return nil
}

// sender sends invoices to the broker. The ID lets it recognise an invoice that it has already.
func sender(js jetstream.JetStream) func(context.Context, orders.Invoice) error {
	return func(ctx context.Context, inv orders.Invoice) error {
		body, err := json.Marshal(inv)
		if err != nil {
			return err
		}
		_, err = js.Publish(ctx, orders.Invoices, body, jetstream.WithMsgID("invoice-"+inv.OrderID))
		return err
	}
}
