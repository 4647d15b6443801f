package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
)

const (
	settleRound = time.Second // an ack without an answer is repeated after this
	settlePause = 50 * time.Millisecond
	maxPause    = 400 * time.Millisecond
)

var errForeignReceipt = errors.New("the delivery's receipt is not this driver's")

// Settle implements queue.Consumer.
func (k *consumer) Settle(ctx context.Context, how queue.Settlement, ds []queue.Delivery) []error {
	if len(ds) == 0 {
		return nil
	}
	r := newRound(len(ds))
	receipts := make([]receipt, len(ds))
	for i := range ds {
		if have, ok := ds[i].Receipt.(*receipt); ok && have != nil {
			receipts[i] = *have
		} else {
			r.end(i, fmt.Errorf("%w: %w", errForeignReceipt, queue.ErrRefused))
		}
	}
	limited, cancel := context.WithTimeout(ctx, k.conn.cfg.SettleTimeout)
	defer cancel()
	switch over := k.over(ctx); {
	case over != nil && queue.OutcomeOf(over) != queue.Failed:
		r.endAll(fmt.Errorf("%w: %w", over, queue.ErrRefused))
	case over != nil:
		r.endAll(over)
	case how.Ack:
		k.rounds(limited, r, receipts, []byte("+ACK"), true)
	default:
		k.rounds(limited, r, receipts, nak(how.After), false)
	}
	k.forget(r, receipts)
	return r.errors(k)
}

// rounds sends until everything is confirmed or ctx ends. An ack is repeated whenever its answer does not come; a nak only if
// it was provably not delivered, because a second one would give back the redelivery that the first one caused.
func (k *consumer) rounds(ctx context.Context, r *round, receipts []receipt, verb []byte, repeat bool) {
	for pause := settlePause; ; pause = min(2*pause, maxPause) {
		if r.run(ctx, k.settles, receipts, verb, k.closing) == 0 {
			return
		}
		if !repeat && r.giveUpSent() == 0 {
			return
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		case <-k.closing:
			t.Stop()
			return
		}
	}
}

// forget takes what is settled off the list of what Close gives back.
func (k *consumer) forget(r *round, receipts []receipt) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range receipts {
		if r.state[i] == confirmed && k.held[receipts[i].seq] == receipts[i].subject {
			delete(k.held, receipts[i].seq)
		}
	}
}

// nak is the payload that gives a message back, to be redelivered after a delay.
func nak(after time.Duration) []byte {
	if after <= 0 {
		return []byte("-NAK")
	}
	return fmt.Appendf(nil, `-NAK {"delay": %d}`, after.Nanoseconds())
}

// state is how far the settlement of one delivery is.
type state uint8

const (
	open      state = iota // to be sent, again perhaps
	unsent                 // provably not delivered to the server's consumer, to be sent again
	confirmed              // the server recorded it
	ended                  // errs says why
)

// round is a batch of settlements. The mux and the caller of run take turns: run returns when all of its requests have ended.
type round struct {
	state   []state
	errs    []error // why the last try failed
	pending sync.WaitGroup
}

func newRound(n int) *round { return &round{state: make([]state, n), errs: make([]error, n)} }

// run sends verb once for each delivery that is not settled yet, waits for the answers, and returns how many are still to be
// settled.
func (r *round) run(ctx context.Context, x *mux, receipts []receipt, verb []byte, closing <-chan struct{}) int {
	stop := context.AfterFunc(ctx, func() { r.abandon(ctx, x) })
	defer stop()
	for i := range receipts {
		if r.state[i] > unsent {
			continue
		}
		select {
		case <-ctx.Done():
			r.errs[i] = context.Cause(ctx)
			continue
		case <-closing:
			r.errs[i] = errSessionEnded
			continue
		case s := <-x.free:
			r.send(x, s, i, receipts[i].subject, verb)
		}
		if ctx.Err() != nil {
			r.abandon(ctx, x)
		}
	}
	r.pending.Wait()
	left := 0
	for _, s := range r.state {
		if s <= unsent {
			left++
		}
	}
	return left
}

func (r *round) send(x *mux, s int32, i int, subject string, verb []byte) {
	r.pending.Add(1)
	r.state[i] = open
	reply, token := x.register(s, r, i)
	if err := x.nc.PublishRequest(subject, reply, verb); err != nil && x.unregister(token) {
		if r.errs[i] = err; unwritten(err) {
			r.state[i] = unsent
		}
		x.release(s)
		r.pending.Done()
	}
}

func (r *round) abandon(ctx context.Context, x *mux) {
	x.fail(context.Cause(ctx), func(w *slot) bool { return w.w == waiter(r) })
}

// answered implements waiter.
func (r *round) answered(i int, m *natsgo.Msg, err error) {
	switch {
	case err != nil:
		r.errs[i] = err
	case noResponders(m):
		r.state[i], r.errs[i] = unsent, errors.New("503: nobody takes the ack: the consumer's leader is being elected, or it is gone")
	case len(m.Data) > 0:
		r.errs[i] = fmt.Errorf("unexpected answer %.80q", m.Data)
	default:
		r.state[i] = confirmed
	}
	r.pending.Done()
}

// giveUpSent ends what was sent without an answer, and returns how many are left that were not.
func (r *round) giveUpSent() int {
	left := 0
	for i, s := range r.state {
		switch s {
		case open:
			r.state[i] = ended
		case unsent:
			left++
		}
	}
	return left
}

func (r *round) end(i int, err error) { r.state[i], r.errs[i] = ended, err }

func (r *round) endAll(err error) {
	for i, s := range r.state {
		if s <= unsent {
			r.end(i, err)
		}
	}
}

// errors is Settle's answer.
func (r *round) errors(k *consumer) []error {
	var out []error
	for i, s := range r.state {
		if s == confirmed {
			continue
		}
		if out == nil {
			out = make([]error, len(r.state))
		}
		err := r.errs[i]
		if queue.OutcomeOf(err) != queue.Failed {
			err = fmt.Errorf("%w: %w", err, queue.ErrUnconfirmed)
		}
		out[i] = k.error("settle", err)
	}
	return out
}
