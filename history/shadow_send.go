package history

import (
	"context"
	"fmt"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// produce records a batch. Nothing of it is changed: the application's own messages are handed on.
func (s *Shadow) produce(ctx context.Context, session *queue.Session, messages []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
	n := shadowedOf(session)
	sent := make([]sending, len(messages))
	s.mu.Lock()
	for i := range messages {
		if p := s.invoke(n, &messages[i]); p != nil {
			sent[i].parcel, p.sending = p, &sent[i]
		}
	}
	s.mu.Unlock()
	next(ctx, messages, func(i int, r queue.Result) {
		s.mu.Lock()
		if p := sent[i].parcel; p != nil {
			s.outcome(n, p, r)
		}
		s.mu.Unlock()
		done(i, r)
	})
}

// keyOf stands for what tells m from other messages; ByPosition only as long as its position is not known.
func (s *Shadow) keyOf(n *shadowed, m *queue.Message) (idKey, error) {
	if s.config.Mode != ByID {
		return contentKey(n.next.Stream, m), nil
	}
	id, err := s.config.Expression.Of(m)
	if err != nil {
		return idKey{}, err
	}
	return keyOfID(n.next.Stream, id), nil
}

// invoke records that m is sent, and returns its parcel, or nil if it could not be told apart.
func (s *Shadow) invoke(n *shadowed, m *queue.Message) *parcel {
	key, err := s.keyOf(n, m)
	if err != nil {
		s.gap(n.client, fmt.Sprintf("a message sent to %q: %v", n.topic, err))
		return nil
	}
	e := Event{Kind: Invoke, At: s.now(), Client: n.client, Intended: s.intended(m)}
	p := s.again(key, m)
	if p == nil {
		before := s.store.known[key]
		p = &parcel{identity: n.next, id: retryID(m), sum: queue.Checksum(m)}
		if !s.store.add(key, p) {
			s.gap(n.client, fmt.Sprintf("more than %d messages are remembered, and none of the oldest was acked by every group (ShadowConfig.Limit)", s.config.Limit))
			return nil
		}
		s.counts.Sent++
		if before != nil {
			s.repeated(n, m)
		}
		e.Back = s.back(n, m)
		n.next.Seq += n.step
	}
	p.attempt++
	p.open++
	e.Identity, e.Attempt = p.identity, p.attempt
	s.config.Recorder.Record(e)
	return p
}

// again returns the parcel of which m is another attempt, or nil.
func (s *Shadow) again(key idKey, m *queue.Message) *parcel {
	if s.config.Mode != ByID {
		return s.store.sentBefore(key, retryID(m))
	}
	if p := s.store.find(key, func(*parcel) bool { return true }); p != nil && !p.confirmed() {
		return p
	}
	return nil
}

func retryID(m *queue.Message) uint64 {
	if m.ID == "" {
		return 0
	}
	return max(hashText(m.ID), 1)
}

func (s *Shadow) intended(m *queue.Message) int64 {
	if m.Timestamp.IsZero() {
		return time.Now().UnixNano() - s.start
	}
	return m.Timestamp.UnixNano() - s.start
}

// back is the distance to the message before this one of its key, or 0.
func (s *Shadow) back(n *shadowed, m *queue.Message) uint32 {
	if m.Key == "" || s.config.Mode == ByContent {
		return 0
	}
	back, forgotten := n.keys.back(m.Key, n.next.Seq)
	if forgotten > 0 {
		s.config.Recorder.Record(Event{
			Kind: Gap, Name: GapKeys, Value: float64(forgotten), Client: n.client,
			Detail: fmt.Sprintf("more than %d keys: the order of those that were forgotten is not known (ShadowConfig.Keys)", s.config.Keys),
		})
	}
	return back
}

// repeated tells that m has the ID or the content of one before it.
func (s *Shadow) repeated(n *shadowed, m *queue.Message) {
	switch s.config.Mode {
	case ByID:
		s.counts.Repeated++
		id, _ := s.config.Expression.Of(m)
		s.note(n.topic, "repeated", fmt.Sprintf("the IDs that %q gives do not tell messages apart: %q was sent again after it was confirmed", s.config.Expression, id))
	case ByContent:
		s.counts.Repeated++
		s.note(n.topic, "repeated", "there are messages with the same key and body: a loss of one and a repetition of another of them cancel out")
	}
}

// outcome records what became of a send.
func (s *Shadow) outcome(n *shadowed, own *parcel, r queue.Result) {
	outcome, detail := outcomeOf(r.Err, n.caps.ConfirmedSend)
	p := own
	switch {
	case s.config.Mode == ByPosition && r.Err == nil:
		p, outcome, detail = s.locate(n, own, r, outcome, detail)
	default:
		p = s.store.told(own, outcome)
	}
	switch {
	case s.config.Mode != ByPosition && outcome == queue.OK && r.Duplicate && p.attempt == 1 && p.owner.alive > 1:
		outcome, detail = queue.Failed, "the broker holds another one with this ID, and stored nothing new"
	case outcome == queue.Failed && p.got != 0 && s.another(p):
		outcome, detail = queue.Unknown, detail+" (one that is the same was delivered: nobody can say which)"
	}
	if p != own {
		p.exchange(own)
	}
	p.settled(outcome)
	s.store.arrive(p)
	s.config.Recorder.Record(Event{
		Kind: Outcome, At: s.now(), Identity: p.identity, Attempt: p.attempt, Outcome: outcome, Detail: detail,
		Partition: r.Partition, Offset: r.Offset, Duplicate: r.Duplicate, Client: n.client,
	})
}

// another reports whether what was delivered as p may have been another one.
func (s *Shadow) another(p *parcel) bool {
	return s.config.Mode != ByPosition && p.owner.alive > 1 || s.store.doubtful(p) != nil
}

// locate is the parcel that the broker keeps at the position of r, and what is known of the send.
func (s *Shadow) locate(n *shadowed, own *parcel, r queue.Result, outcome queue.Outcome, detail string) (*parcel, queue.Outcome, string) {
	if r.Offset < 0 {
		s.gap(n.client, fmt.Sprintf("this broker tells no position of what is sent to %q: record it by ID or by content", n.topic))
		return s.store.told(own, queue.Unknown), queue.Unknown, "confirmed, but without a position"
	}
	at := place{n.next.Stream, r.Partition, r.Offset}
	p := s.store.toldAt(own, at)
	switch {
	case p != nil:
		return p, outcome, detail
	case r.Duplicate:
		return s.store.told(own, queue.Failed), queue.Failed, "the broker holds another one with this ID, and stored nothing new"
	default:
		s.gap(n.client, fmt.Sprintf("the broker tells one position for two messages sent to %q: record them by ID or by content", n.topic))
		return s.store.told(own, queue.Unknown), queue.Unknown, "confirmed, at the position of another message"
	}
}
