package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"example.com/webshop/orders"
)

var errDown = errors.New("broker down")

// outbox is a broker that keeps one invoice for each order, as the real one does.
type outbox map[string]orders.Invoice

func (o outbox) send(_ context.Context, inv orders.Invoice) error {
	o[inv.OrderID] = inv
	return nil
}

func newBilling(t *testing.T, send func(context.Context, orders.Invoice) error) *billing {
	t.Helper()
	db, err := openDB(t.Context(), filepath.Join(t.TempDir(), "orders.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &billing{db: db, send: send}
}

func (b *billing) rows(t *testing.T) (n int) {
	t.Helper()
	if err := b.db.QueryRowContext(t.Context(), "select count(*) from orders").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnOrderIsStoredAndInvoiced(t *testing.T) {
	sent := outbox{}
	b := newBilling(t, sent.send)
	if err := b.handle(t.Context(), orders.Order{ID: "1", Customer: "Ada", Cents: 1000}); err != nil {
		t.Fatal(err)
	}
	want := orders.Invoice{OrderID: "1", Customer: "Ada", Cents: 1000, VAT: 190}
	if b.rows(t) != 1 || len(sent) != 1 || sent["1"] != want {
		t.Errorf("%d rows, invoices %+v, want %+v", b.rows(t), sent, want)
	}
}

func TestAnOrderThatComesTwiceIsInvoicedOnce(t *testing.T) {
	sent := outbox{}
	b := newBilling(t, sent.send)
	for range 2 {
		if err := b.handle(t.Context(), orders.Order{ID: "1", Customer: "Ada", Cents: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	if b.rows(t) != 1 || len(sent) != 1 {
		t.Errorf("%d rows, %d invoices, want one each", b.rows(t), len(sent))
	}
}

func TestAnInvoiceThatCannotBeSentIsAnError(t *testing.T) {
	b := newBilling(t, func(context.Context, orders.Invoice) error { return errDown })
	if err := b.handle(t.Context(), orders.Order{ID: "1"}); !errors.Is(err, errDown) {
		t.Errorf("error %v, want %v: the order would be acked", err, errDown)
	}
}
