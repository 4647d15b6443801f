//go:build fixed

package main

import (
	"context"
	"testing"

	"example.com/webshop/orders"
)

// The test that came with the fix: nobody had thought of it before.
func TestAnInvoiceThatCouldNotBeSentIsSentTheNextTime(t *testing.T) {
	sent, down := outbox{}, true
	b := newBilling(t, func(ctx context.Context, inv orders.Invoice) error {
		if down {
			return errDown
		}
		return sent.send(ctx, inv)
	})
	order := orders.Order{ID: "1", Customer: "Ada", Cents: 1000}
	_ = b.handle(t.Context(), order)
	down = false
	if err := b.handle(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if b.rows(t) != 1 || len(sent) != 1 {
		t.Errorf("%d rows, %d invoices, want one each", b.rows(t), len(sent))
	}
}
