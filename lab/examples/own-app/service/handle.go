//go:build !fixed

package main

import (
	"context"

	"example.com/webshop/orders"
)

// handle does one order. The broker may deliver an order twice.
func (b *billing) handle(ctx context.Context, o orders.Order) error {
	isNew, err := b.store(ctx, o)
	if err != nil {
		return err
	}
	if !isNew {
		return nil // delivered again, and done already: the customer must not pay twice
	}
	return b.invoice(ctx, o)
}
