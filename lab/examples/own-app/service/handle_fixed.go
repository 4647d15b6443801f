//go:build fixed

package main

import (
	"context"

	"example.com/webshop/orders"
)

// handle does one order. The broker may deliver an order twice.
func (b *billing) handle(ctx context.Context, o orders.Order) error {
	if _, err := b.store(ctx, o); err != nil {
		return err
	}
	// Stored is not invoiced: the last attempt may have died in between. The broker drops an invoice that it has already.
	return b.invoice(ctx, o)
}
