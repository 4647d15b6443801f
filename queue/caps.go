package queue

import "time"

// Attempts says how well a broker counts deliveries of a message.
type Attempts uint8

// How deliveries are counted.
const (
	AttemptsNone  Attempts = iota // Delivery.Attempt is always 0
	AttemptsFlag                  // 1, or 2 for any redelivery
	AttemptsExact                 // counted by the broker
)

// NackKind says what giving a delivery back does.
type NackKind uint8

// What a nack does.
const (
	NackNone    NackKind = iota // not possible: only the ack timeout redelivers
	NackRequeue                 // this message is redelivered, others pass it
	NackBlock                   // what is behind it (in its partition) waits
	NackPark                    // moved to a side topic and redelivered from there
)

// Order says among which messages a broker keeps the send order for one consumer of a group, redeliveries aside.
type Order uint8

// The orders.
const (
	OrderNone      Order = iota
	OrderKey             // messages of one key, whoever consumes them
	OrderPartition       // messages of one partition
	OrderTopic           // all messages of the topic, while the group has one consumer
)

func (o Order) String() string {
	switch o {
	case OrderKey:
		return "key"
	case OrderPartition:
		return "partition"
	case OrderTopic:
		return "topic"
	default:
		return "none"
	}
}

// Caps says what a driver and its broker can do. What is not declared here is not asked for: a caller that needs a
// capability checks it first and reports its absence, instead of getting something weaker in silence.
type Caps struct {
	Driver string // short name, as in the URL scheme: "memory", "nats"

	ConfirmedSend bool          // a nil Result.Err proves that the broker keeps the message (to its configured durability)
	ConfirmedAck  bool          // a nil error of Settle proves that the broker recorded it
	CumulativeAck bool          // an ack is durable only once all earlier deliveries of its partition are acked
	Attempts      Attempts      // how Delivery.Attempt is counted
	Nack          NackKind      // what Settle with Ack false does
	NackDelay     bool          // Settlement.After is honoured
	Delay         time.Duration // longest NotBefore from now that the broker honours natively; 0: none
	Order         Order         // the order kept among messages
	BatchOrder    bool          // messages of one Produce call are stored in their order
	HeaderOrder   bool          // headers of different keys keep their order; those of one key always do
	Dedup         bool          // a repeated Message.ID within the broker's window is stored once
	Transactions  bool
	Depth         bool          // Queue.Depth is answered by the broker itself
	MaxBody       int           // bytes; 0: no fixed limit
	AckTimeout    time.Duration // unsettled deliveries are redelivered after this; 0: only when the session ends
}
