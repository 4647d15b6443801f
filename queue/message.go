package queue

import "time"

// Header is one metadata entry of a message. Keys may repeat (as in Kafka and NATS), and headers of one key keep their order;
// those of different keys do where Caps.HeaderOrder says so.
type Header struct{ Key, Value string }

// Message is what an application sends.
//
// Body, Headers and their strings are lent to whoever receives a Message: nobody but the owner may change them. A wrapper that
// changes a message (a corrupting fault, the envelope) changes a copy.
type Message struct {
	// ID identifies the message for deduplication and tracing. A retry keeps the ID. Brokers that can deduplicate use it.
	ID string
	// Key orders messages: where the broker can (see Caps.Order), messages of the same key are delivered in send order.
	Key     string
	Body    []byte
	Headers []Header
	// Timestamp is when the application meant to send. Zero: the time of the call.
	Timestamp time.Time
	// NotBefore asks the broker not to deliver earlier. Zero: at once. A driver whose Caps.Delay is zero refuses it.
	NotBefore time.Time
}

// Header returns the value of the first header with this key, and whether there is one.
func (m *Message) Header(key string) (string, bool) {
	for _, h := range m.Headers {
		if h.Key == key {
			return h.Value, true
		}
	}
	return "", false
}

// Result is what became of one produced message.
type Result struct {
	// Partition and Offset locate the message in the broker, where the broker tells: a Kafka partition and offset, a stream
	// sequence. -1: not known.
	Partition int32
	Offset    int64
	// Duplicate reports that the broker already held a message with this ID and stored nothing new.
	Duplicate bool
	// Err is nil if the broker confirmed the message; OutcomeOf tells failed from unknown.
	Err error
}

// Delivery is a message handed to a consumer.
type Delivery struct {
	Message
	Topic, Group string
	Partition    int32
	Offset       int64
	// Attempt counts deliveries of this message to this group, from 1. 0: this broker cannot say (see Caps.Attempts).
	Attempt int
	// Claim grows with each assignment or session where an ack of an older one is stale. Brokers whose acks survive the
	// session leave it 0.
	Claim int64
	// Receipt is the driver's, and opaque. A wrapper may wrap it, if it unwraps it again before the driver sees it.
	Receipt any
}

// Settlement says how to settle deliveries: Ack true takes them off the queue; otherwise they are given back, to be
// redelivered no earlier than After from now.
type Settlement struct {
	Ack   bool
	After time.Duration
}

// Ack is the settlement of work that is done.
func Ack() Settlement { return Settlement{Ack: true} }

// Nack gives deliveries back, to be redelivered no earlier than after.
func Nack(after time.Duration) Settlement { return Settlement{After: after} }

// Depth is how much of a topic a group has not finished. A negative number: this broker cannot say.
type Depth struct {
	// Ready messages wait to be delivered.
	Ready int64
	// InFlight messages were delivered and are not settled.
	InFlight int64
}

// Total is Ready plus InFlight, or -1 if the broker cannot say both.
func (d Depth) Total() int64 {
	if d.Ready < 0 || d.InFlight < 0 {
		return -1
	}
	return d.Ready + d.InFlight
}
