package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/havoqlab/havoq/queue"
)

// shadowReceipt is put around the driver's receipt, because nothing in the message says which one it is.
type shadowReceipt struct {
	driver any
	shadow *Shadow
	parcel *parcel // nil: nobody is known to have sent it
	number int     // of the group
	untold bool    // it is not in the history
	again  bool    // its ID was sent more than once
}

func (s *Shadow) receive(ctx context.Context, session *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
	ds, err := next(ctx, most)
	if len(ds) == 0 {
		return ds, err
	}
	n := shadowedOf(session)
	receipts := make([]shadowReceipt, len(ds))
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	for i := range ds {
		d := &ds[i]
		receipts[i] = shadowReceipt{driver: d.Receipt, shadow: s, number: n.number}
		s.deliver(n, d, &receipts[i], at)
		d.Receipt = &receipts[i]
	}
	return ds, err
}

// deliver records a delivery.
func (s *Shadow) deliver(n *shadowed, d *queue.Delivery, receipt *shadowReceipt, at int64) {
	e := Event{
		Kind: Deliver, At: at, Group: n.group, Client: n.client, Attempt: int32(d.Attempt),
		Partition: d.Partition, Offset: d.Offset, Claim: d.Claim,
	}
	p, damage, err := s.recognise(n, d)
	switch {
	case p != nil:
		p.got |= 1 << n.number
		receipt.parcel = p
		receipt.again = s.config.Mode == ByID && s.store.anyOther(p)
		e.Identity, e.Damage, e.Name = p.identity, damage, receipt.name(n)
	case err == nil && s.config.Mode == ByPosition: // another sender's, perhaps
		s.counts.Strangers++
		receipt.untold = true
		return
	case s.store.vague || errors.Is(err, errNoPosition):
		receipt.untold = true
		s.gap(n.client, fmt.Sprintf("a delivery from %q: it may be of a message that is not remembered%s", n.topic, because(err)))
		return
	default:
		s.counts.Strangers++
		e.Damage, e.Detail = Foreign, d.ID
		if err != nil {
			e.Detail = err.Error()
		}
	}
	s.config.Recorder.Record(e)
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// name marks what is told of a message whose ID was sent more than once: nobody can say which of them it is, so that it is
// judged like a copy that came another way, neither as a repetition nor as late nor as out of order.
func (r *shadowReceipt) name(n *shadowed) string {
	if r.again {
		return n.topic
	}
	return ""
}

// recognise returns the parcel that was delivered, or nil.
func (s *Shadow) recognise(n *shadowed, d *queue.Delivery) (*parcel, Damage, error) {
	if s.config.Mode == ByPosition {
		return s.positioned(n, d)
	}
	key, err := s.keyOf(n, &d.Message)
	if err != nil {
		return nil, Sound, err
	}
	same := s.store.known[key]
	if same == nil {
		return nil, Sound, nil
	}
	p := same.delivered(n.number)
	if p == nil || s.config.Mode == ByContent || s.sound(same, queue.Checksum(&d.Message)) {
		return p, Sound, nil
	}
	return p, CorruptPayload, nil
}

// sound reports whether one of the parcels was sent with this checksum.
func (s *Shadow) sound(same *parcels, sum uint32) bool {
	return s.store.find(same.key, func(p *parcel) bool { return p.sum == sum }) != nil
}

var errNoPosition = errors.New("it has no position")

// positioned returns the parcel at the position of d. If none is known there it is one of those on their way, or in doubt, that
// has the same key and body.
func (s *Shadow) positioned(n *shadowed, d *queue.Delivery) (*parcel, Damage, error) {
	if d.Offset < 0 {
		return nil, Sound, errNoPosition
	}
	at := place{n.next.Stream, d.Partition, d.Offset}
	if p := s.store.places[at]; p != nil {
		if queue.Checksum(&d.Message) != p.sum {
			return p, CorruptPayload, nil
		}
		return p, Sound, nil
	}
	same := s.store.known[contentKey(n.next.Stream, &d.Message)]
	if same == nil {
		return nil, Sound, nil
	}
	p := same.delivered(n.number)
	if p == nil || p.rank() == refusedRank {
		return nil, Sound, nil
	}
	s.store.put(p, at)
	return p, Sound, nil
}

func (s *Shadow) settle(ctx context.Context, session *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
	own := make([]queue.Delivery, len(ds))
	for i := range ds {
		own[i] = ds[i]
		if r, ok := ds[i].Receipt.(*shadowReceipt); ok {
			own[i].Receipt = r.driver
		}
	}
	errs := next(ctx, how, own)
	n := shadowedOf(session)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	for i := range ds {
		e := Event{Kind: Settle, At: at, Claim: ds[i].Claim, Client: n.client, Ack: how.Ack}
		e.Outcome, e.Detail = outcomeOf(answer(errs, i), n.caps.ConfirmedAck)
		what := markAcked
		if !how.Ack || e.Outcome == queue.Failed {
			what = markGot // it stays as it is
		}
		s.about(n, &ds[i], e, what)
	}
	return errs
}

// about records what happened to a delivery, unless nobody knows which message it is.
func (s *Shadow) about(n *shadowed, d *queue.Delivery, e Event, what mark) {
	r, ok := d.Receipt.(*shadowReceipt)
	if !ok || r.untold {
		return
	}
	e.Group = n.group
	if r.parcel == nil {
		e.Damage = Foreign
		s.config.Recorder.Record(e)
		return
	}
	p := r.parcel
	if what != markGot {
		if s.config.Mode != ByPosition {
			p = p.owner.handled(p, what, r.number)
		}
		*p.mask(what) |= 1 << r.number
	}
	e.Identity, e.Name = p.identity, r.name(n)
	s.config.Recorder.Record(e)
}

// ErrNotShadowed is a delivery that was not received through the Shadow's hooks.
var ErrNotShadowed = errors.New("not a delivery of this Shadow")

// Processed records that the work of d, which was received through the hooks, is done. Call it before the ack. The error wraps
// ErrNotShadowed.
func (s *Shadow) Processed(d *queue.Delivery, client string) error {
	return s.worked(d, Event{Kind: Processed, Client: client})
}

// DeadLettered records that d was moved to a dead-letter topic. Call it when the send there was confirmed, before the ack. The
// error wraps ErrNotShadowed.
func (s *Shadow) DeadLettered(d *queue.Delivery, client string) error {
	return s.worked(d, Event{Kind: DeadLetter, Client: client})
}

func (s *Shadow) worked(d *queue.Delivery, e Event) error {
	r, ok := d.Receipt.(*shadowReceipt)
	if !ok || r.shadow != s {
		return fmt.Errorf("history: shadow: %v of a delivery from %q: %w", e.Kind, d.Topic, ErrNotShadowed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.about(&shadowed{topic: d.Topic, group: d.Group}, d, e, markWorked)
	return nil
}
