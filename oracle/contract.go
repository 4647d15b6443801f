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
	// OrderPartition is the order of a producer's messages in one partition, as Kafka promises it. Where the broker tells no
	// partitions, all is in partition 0.
	OrderPartition Order = "partition"
)

// Contract is what the user promises of the system under test. What it does not name is reported, and not failed.
type Contract struct {
	Delivery Delivery
	Order    Order
	// MaxDelay is the bound from the intended send time to the first delivery. 0: none.
	MaxDelay time.Duration
	// Allow lists anomalies that every other contract forbids and that this one does not: Corrupted, Unexpected (somebody else's
	// messages are in the topic), FailedButDelivered. They are reported, and not failed.
	Allow []string
	// Forgive lists attributions that do not break the contract; "caused" is the only one there is.
	Forgive []string
}
