package queue

import "context"

// Queue is a connection to a message broker. All methods may be called concurrently.
type Queue interface {
	// Producer opens a session that sends to topic, which it creates if the broker needs and allows that.
	Producer(ctx context.Context, topic string) (Producer, error)
	// Consumer opens a session that receives from topic as one member of group. Members of a group share the messages;
	// every group gets all of them, from the moment the group first existed or from the beginning where the broker keeps
	// them (the driver's package comment says which).
	Consumer(ctx context.Context, topic, group string) (Consumer, error)
	// Depth asks the broker how much of topic the group has not finished.
	Depth(ctx context.Context, topic, group string) (Depth, error)
	// Caps says what this broker can do. It does not change.
	Caps() Caps
	// Close closes all sessions that are still open, and the connection. It may be called twice.
	Close(ctx context.Context) error
}

// Producer sends messages to one topic. Its methods may be called concurrently; messages of one call keep their order.
type Producer interface {
	// Produce admits the batch in order and returns when all of it is admitted: it blocks while the session's window of
	// unconfirmed messages is full. done is called exactly once for each message with its index in batch, from any
	// goroutine, also before Produce returns; it must not block. The batch and its bodies are lent until then.
	//
	// When ctx ends first, messages not yet admitted get an error that wraps ErrRefused and those in flight one that wraps
	// ErrUnconfirmed. Without a deadline in ctx the driver's own time-out applies: done is always called in the end.
	Produce(ctx context.Context, batch []Message, done func(i int, r Result))
	// Close waits until every admitted message has its result, or ctx ends, and ends the session. Afterwards Produce
	// reports ErrClosed. It may be called twice.
	Close(ctx context.Context) error
}

// Consumer receives from one topic as a member of one group. Receive is called by one goroutine at a time; Settle and Close
// may be called concurrently with it and with each other.
type Consumer interface {
	// Receive blocks until at least one delivery is there and returns at most max of them, or an error: ctx's when it
	// ends, ErrClosed after Close, else what is wrong with the broker (a later call may work again). It never returns
	// neither. max is a hard bound: a wrapper that has more to hand out carries it over to the next call.
	Receive(ctx context.Context, max int) ([]Delivery, error)
	// Settle settles deliveries of this session and returns nil if all were confirmed as far as Caps.ConfirmedAck says,
	// or else one error (or nil) for each. An error that wraps ErrStale: the broker may deliver the message again. The slice
	// is lent until Settle returns.
	Settle(ctx context.Context, how Settlement, ds []Delivery) []error
	// Close ends the session. Deliveries that are not settled are delivered again, to this group's other members or
	// later. It may be called twice.
	//
	// With a context that has already ended the session ends as in a crash: without a word to the broker, which delivers
	// again by its own rules (an ack timeout, the end of a connection). No error is expected for that.
	Close(ctx context.Context) error
}
