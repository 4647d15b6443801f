package oracle

import "time"

// Delivery is the delivery promise of a contract. The zero value is AtLeastOnce.
type Delivery string

// The delivery promises.
const (
	AtMostOnce  Delivery = "at-most-once"
	AtLeastOnce Delivery = "at-least-once"
	ExactlyOnce Delivery = "exactly-once" // effects: no message is processed twice
)

// Order is the order promise of a contract.
type Order string

// The order promises.
const (
	NoOrder       Order = ""
	OrderKey      Order = "key"
	OrderProducer Order = "producer"
)

// Contract is what the user promises of the system under test. What it does not name is reported, and not failed.
type Contract struct {
	Delivery Delivery
	Order    Order
	// MaxDelay is the bound from the intended send time to the first delivery. 0: none.
	MaxDelay time.Duration
	// Forgive lists attributions that do not break the contract; "caused" is the only one there is.
	Forgive []string
}
