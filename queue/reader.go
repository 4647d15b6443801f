package queue

import (
	"context"
	"errors"
)

// ErrNoTopic is a topic that the broker does not have (yet).
var ErrNoTopic = errors.New("no such topic")

// Readable is a Queue whose topics can be read by somebody who takes no part in the work.
type Readable interface {
	// Reader opens a pure reader of topic: no group gets a message less, or later, because of it, and nothing of it stays
	// behind. The topic is not created. A topic that cannot be read so (reading would take its messages away) is an error, from
	// here or from the first call that meets it.
	Reader(ctx context.Context, topic string) (Reader, error)
}

// Reader reads a topic from a position on, in its order, each message once. Positions are those of Delivery.Offset. Its methods
// must not be called concurrently.
type Reader interface {
	// Bounds returns the positions of the first and the last message that the topic holds, as its leader knows them; first is
	// last + 1 if it holds none. An error that wraps ErrNoTopic: there is no such topic yet.
	Bounds(ctx context.Context) (first, last int64, err error)
	// StartAt has the next Receive begin at this position.
	StartAt(position int64)
	// Receive blocks until at least one message is there and returns at most max, or an error: ctx's when it ends, one that
	// wraps ErrNoTopic while there is no such topic, else what is wrong with the broker (a later call may work again, and goes
	// on where this one stopped).
	Receive(ctx context.Context, max int) ([]Delivery, error)
	// Missed is how many messages left the topic before Receive could read them, as far as that can be told.
	Missed() int64
	// Unfinished asks how many messages up to and including this position the group has not finished, at most; 0 is a proof
	// that it has finished them all. A negative number: this broker cannot say. A group that does not exist is an error.
	Unfinished(ctx context.Context, group string, upTo int64) (int64, error)
	// Close ends the reader and what it has made at the broker. It may be called twice.
	Close(ctx context.Context) error
}
