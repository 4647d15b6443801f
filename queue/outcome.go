package queue

import (
	"errors"
	"fmt"
)

// Outcome is what is known of a send or of a settlement. The zero value is Unknown.
type Outcome uint8

// The outcomes.
const (
	Unknown Outcome = iota // it may or may not have happened
	OK                     // the broker confirmed it
	Failed                 // it is proven that it did not happen
)

func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Failed:
		return "failed"
	default:
		return "unknown"
	}
}

var (
	// ErrRefused proves that the broker did not take the message (or record the settlement).
	ErrRefused = errors.New("refused")
	// ErrUnconfirmed is a send or settlement of which no answer came: it may have happened.
	ErrUnconfirmed = errors.New("not confirmed")
	// ErrStale is a settlement that came too late or from an old session: the broker may deliver the message again.
	ErrStale = errors.New("stale receipt")
	// ErrClosed is the use of a closed session; what was asked for was not done.
	ErrClosed = fmt.Errorf("session closed: %w", ErrRefused)
)

// OutcomeOf classifies the error of a Result or of Settle: nil is OK, an error that wraps ErrRefused is Failed, and every
// other one is Unknown, because only a proof makes a failure.
func OutcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, ErrRefused):
		return Failed
	default:
		return Unknown
	}
}
