package gameday

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/havoqlab/havoq/history"
)

// ending is why a run does not come to its own end.
type ending struct {
	by  string // guard, person, error: the name of an Abort event
	err error
}

// failure is the error of a run that havoq itself could not go on with. Guards and persons end a run without one.
func (e *ending) failure() error {
	if e == nil || e.by != "error" {
		return nil
	}
	return e.err
}

// guardError ends a run: a guard was broken. It says which and why.
type guardError struct{ why string }

func (e *guardError) Error() string { return e.why }

// errHistory is that the evidence cannot be written: there is no reason to go on.
var errHistory = errors.New("the history is not whole")

func (r *run) historyError(err error) error {
	return fmt.Errorf("%w: %w; free space, or choose another place with --out", errHistory, err)
}

// endedEarly says who ended the phases, if they did not end by themselves. ctx is the phases' own context, below parent.
func (r *run) endedEarly(parent, ctx context.Context, err error) *ending {
	var broken *guardError
	switch cause := context.Cause(ctx); {
	case parent.Err() != nil:
		return &ending{"person", context.Cause(parent)}
	case errors.As(cause, &broken):
		return &ending{"guard", broken}
	case cause != nil:
		return &ending{"error", cause}
	case err != nil:
		return &ending{"error", err}
	}
	return nil
}

// abort records and tells why a run is ended early; nil is no reason.
func (r *run) abort(why *ending) {
	if why == nil {
		return
	}
	r.recorder.Record(history.Event{Kind: history.Abort, Name: why.by, Detail: why.err.Error()})
	r.tell(Progress{Kind: Aborted, Text: "aborted: " + why.err.Error() + "; recovering"})
}

// notBegun is the end of a run whose load did not begin.
func (r *run) notBegun(parent context.Context, err error) error {
	if parent.Err() == nil {
		r.abort(&ending{"error", err})
		return err
	}
	cause := context.Cause(parent)
	r.note("havoq", err.Error())
	r.abort(&ending{"person", cause})
	return fmt.Errorf("%w before the load began: nothing was injected, and there is nothing to judge", cause)
}

func (r *run) note(who, text string) {
	r.recorder.Record(history.Event{Kind: history.Note, Name: who, Detail: text})
}

// grace returns a context that ends so long after parent does: what must not be left half done is brought to its end.
func grace(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		time.AfterFunc(d, func() { cancel(context.Cause(parent)) })
	})
	return ctx, func() { stop(); cancel(nil) }
}
