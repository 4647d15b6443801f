// Package orders is what the shop and the billing service have agreed on: two topics, and what is in them.
package orders

// The topics. Each is a JetStream stream of that name, with that one subject.
const (
	Topic    = "orders"   // Order
	Invoices = "invoices" // Invoice
)

// IDHeader is the header of an order that carries its ID, for those who do not want to read the body.
const IDHeader = "order-id"

// An Order is what a customer has bought.
type Order struct {
	ID       string `json:"order_id"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"` // net
}

// An Invoice is what the customer has to pay for one order.
type Invoice struct {
	OrderID  string `json:"order_id"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"` // net
	VAT      int64  `json:"vat_cents"`
}

// NewInvoice bills o.
func NewInvoice(o Order) Invoice {
	return Invoice{OrderID: o.ID, Customer: o.Customer, Cents: o.Cents, VAT: (o.Cents*19 + 50) / 100}
}
