package history

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// reserved is how many sequence numbers a track reserves at a time.
const reserved = 4096

// track gives out the identities of one producer session.
type track struct {
	hooks  *hooks
	client string
	topic  string
	id     queue.Identity // of the next message

	mu    sync.Mutex
	keys  keys
	until uint64 // the numbers below are reserved
}

func newTrack(h *hooks, n *session, number uint32) *track {
	id := queue.Identity{Run: h.Run, Producer: number, Epoch: h.Epoch, Stream: n.stream}
	h.topics.add(id.Track(), n.topic)
	return &track{hooks: h, client: n.client, topic: n.topic, keys: keys{limit: h.Keys}, id: id}
}

// sent is a message on its way. It has no pointers, so that the collector need not look at it.
type sent struct {
	identity  queue.Identity
	at        int64  // when it was meant to be sent, Unix nanoseconds
	back      uint32 // as in queue.Envelope
	attempt   int32  // from 1; 0: not numbered yet
	carried   bool   // the application's message has the envelope already, and it is right
	elsewhere bool   // it goes to another topic than that of its identity
}

func (s *sent) envelope() queue.Envelope {
	return queue.Envelope{Identity: s.identity, Back: s.back, SentAt: time.Unix(0, s.at)}
}

// batch is one call of Produce. It is used as a value, so that the function for its results holds it and nothing else is made.
type batch struct {
	hooks    *hooks
	session  *session
	messages []queue.Message // the application's
	sealed   []queue.Message // copies
	sent     []sent
	room     []queue.Header // for the first headers, empty
	done     func(i int, r queue.Result)
}

// alone is the memory of a batch of one message, in one piece.
type alone struct {
	sealed [1]queue.Message
	sent   [1]sent
	room   [1]queue.Header
}

func newBatch(messages []queue.Message) batch {
	if len(messages) == 1 {
		a := new(alone)
		a.sealed[0] = messages[0]
		return batch{messages: messages, sealed: a.sealed[:], sent: a.sent[:], room: a.room[:0]}
	}
	return batch{messages: messages, sealed: slices.Clone(messages), sent: make([]sent, len(messages))}
}

func (h *hooks) produce(ctx context.Context, s *queue.Session, messages []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
	if len(messages) == 0 {
		next(ctx, messages, done)
		return
	}
	b := newBatch(messages)
	b.hooks, b.session, b.done = h, stateOf(s), done
	b.identify()
	b.seal()
	b.invoke()
	next(ctx, b.sealed, func(i int, r queue.Result) { b.result(i, r) })
}

// invoke records that the messages are about to be sent.
func (b batch) invoke() {
	h, now := b.hooks, b.hooks.now()
	events := h.bursts.take()
	defer h.bursts.record(events)
	for i := range b.sent {
		m, e := &b.sent[i], events.next(b.session.client, "")
		e.Kind, e.At, e.Identity, e.Back, e.Attempt = Invoke, now, m.identity, m.back, m.attempt
		if e.Intended = m.at - h.start; m.elsewhere {
			e.Name = b.session.topic
		}
	}
}

// identify gives each message its envelope: its own, that of the attempt before, or a new one.
func (b batch) identify() {
	fresh := 0
	for i := range b.messages {
		if !b.known(i) {
			fresh++
		}
	}
	if fresh > 0 {
		b.session.track.number(b, fresh)
	}
}

// known finds the identity of a message that has been sent before.
func (b batch) known(i int) bool {
	m, s := &b.messages[i], &b.sent[i]
	if len(m.Headers) == 0 && b.hooks.retries.none() {
		return false
	}
	own, err := envelopeOf(m)
	carries := err == nil && own.Run == b.hooks.Run
	before, remembered := b.hooks.retries.take(b.session.topic, m.ID)
	switch {
	case carries:
		*s = sent{
			identity: own.Identity, at: own.SentAt.UnixNano(), back: own.Back, attempt: 1,
			// An application that copies the headers and changes the body means the new one: it is not corrupt.
			carried:   queue.Checksum(m) == own.Sum,
			elsewhere: b.hooks.topics.elsewhere(own.Identity, b.session.topic, b.session.stream),
		}
		if remembered && before.identity == own.Identity {
			s.attempt = before.attempt + 1
		}
	case remembered:
		*s = before
		s.attempt++
		s.carried = false
	}
	return s.attempt > 0
}

// number gives the batch's new messages the next numbers of the track, in their order.
func (t *track) number(b batch, fresh int) {
	now := time.Now().UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reserve(uint64(fresh))
	gap := 0
	for i := range b.messages {
		m, s := &b.messages[i], &b.sent[i]
		if s.attempt != 0 {
			continue
		}
		s.attempt = 1
		s.identity = t.id
		if s.at = now; !m.Timestamp.IsZero() {
			s.at = m.Timestamp.UnixNano()
		}
		if m.Key != "" {
			var forgotten int
			s.back, forgotten = t.keys.back(m.Key, t.id.Seq)
			gap += forgotten
		}
		t.id.Seq++
	}
	if gap > 0 {
		t.hooks.Recorder.Record(Event{
			Kind: Gap, Name: GapKeys, Value: float64(gap), Client: t.client,
			Detail: fmt.Sprintf("more than %d keys: the order of those that were forgotten is not known (Config.Keys)", t.hooks.Keys),
		})
	}
}

// reserve makes sure that the history tells of the next n numbers before one of them is used: after this process was killed, a
// delivery of such a number is not known, where one beyond was never sent.
func (t *track) reserve(n uint64) {
	if t.id.Seq+n <= t.until {
		return
	}
	first := t.id
	first.Seq = t.until
	count := (t.id.Seq + n - t.until + reserved - 1) / reserved * reserved
	t.hooks.Recorder.Record(Event{
		Kind: Reserve, Identity: first, Value: float64(count), Client: t.client, Name: t.topic,
	})
	t.until += count
}

// name is the topic of a message that goes elsewhere than its identity says.
func (b batch) name(s *sent) string {
	if s.elsewhere {
		return b.session.topic
	}
	return ""
}

// result records what became of a message, and then tells the application.
func (b batch) result(i int, r queue.Result) {
	h, s := b.hooks, &b.sent[i]
	e := Event{
		Kind: Outcome, Identity: s.identity, Attempt: s.attempt,
		Partition: r.Partition, Offset: r.Offset, Duplicate: r.Duplicate, Client: b.session.client, Name: b.name(s),
	}
	e.Outcome, e.Detail = outcomeOf(r.Err, b.session.caps.ConfirmedSend)
	h.Recorder.Record(e)
	switch {
	case r.Err != nil:
		h.remember(b.session.topic, b.messages[i].ID, *s)
	case e.Outcome == queue.OK && h.DeadLetter != nil && s.elsewhere:
		if group, ok := h.DeadLetter(b.session.topic); ok {
			h.Recorder.Record(Event{Kind: DeadLetter, Identity: s.identity, Group: group})
		}
	}
	b.done(i, r)
}

// distance is how far seq lies behind, or 0 where that is too far to say.
func distance(from, to uint64) uint32 {
	if to <= from || to-from > math.MaxUint32 {
		return 0
	}
	return uint32(to - from)
}
