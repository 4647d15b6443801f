package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// Config says how Hooks records.
type Config struct {
	// Recorder takes the events. It is required: without one, opening a session is an error.
	Recorder Recorder
	// Run is the number of the run in every identity; messages of other runs are foreign. It is required, and not 0: two runs
	// that were not numbered would take each other's messages for their own.
	Run uint32
	// Start is the origin of intended times, as in the Recorder: Writer.Start. It is required, too.
	Start time.Time
	// Client names a session in events. Nil: the name from queue.WithClient, or else "producer-1", "consumer-1", …
	Client func(*queue.Session) string
	// Stream numbers a topic. Nil: a hash of its name, the same in every process.
	Stream func(topic string) uint16
	// Producer numbers a producer session. No two sessions of a run may have the same number on the same stream and epoch, or
	// their messages could not be told apart. Nil: 1, 2, 3, … in the order in which they are opened, which is right as long as
	// all queues of the run share one Hooks value.
	Producer func(*queue.Session) uint32
	// Epoch tells a process of the run from those before it, where it was started again.
	Epoch uint16
	// DeadLetter says whether a topic takes dead letters, and of which group. A confirmed send there of a message that
	// carries this run's envelope is recorded as a DeadLetter, after its Outcome. Nil: none does.
	DeadLetter func(topic string) (group string, ok bool)
	// Keys is how many message keys each producer session remembers, for Envelope.Back: the youngest. 0: 4096. A message whose
	// key was forgotten has no Back, so a Gap tells that keys were.
	Keys int
	// Retries is how many messages without a confirmed outcome are remembered, so that a later send of the same ID to the
	// same topic keeps its identity. 0: 65536. A retry of one that was forgotten looks like a new message, so a Gap tells.
	Retries int
}

// Hooks records what the sessions of a queue do. It belongs outermost (see package queue), because the history is what the
// application was told:
//
//   - Invoke before a message is handed on, Outcome when its result comes, before the application learns of it.
//   - Deliver for each delivery that Receive returns, Settle for each that was settled. What only the application knows, that
//     the work is done, it records itself: see ProcessedEvent.
//
// A message gets havoq's envelope, on a copy; one that already carries this run's keeps it, and so does a retry: a message
// with the ID of one for which there was an error. Its body may have changed: then the envelope is made again, with the same
// identity. Where such a message goes to another topic than that of its identity (a dead letter, a bridge), Invoke and Outcome
// have that topic as their Name, and so have Deliver and Settle where it is read from there. Deliveries keep their envelope.
//
// Where the queue's Caps do not say that a nil is a confirmation, the outcome of a nil is unknown.
//
// Nothing else changes for the application. The same Hooks may wrap several queues.
func Hooks(c Config) queue.Hooks {
	if c.Keys <= 0 {
		c.Keys = 4096
	}
	if c.Retries <= 0 {
		c.Retries = 1 << 16
	}
	h := &hooks{Config: c, start: c.Start.UnixNano(), now: func() int64 { return 0 }}
	if clock, ok := c.Recorder.(clock); ok {
		h.now = clock.Now
	}
	h.retries.limit = c.Retries
	h.bursts.recorder = c.Recorder
	return queue.Hooks{Open: h.open, Produce: h.produce, Receive: h.receive, Settle: h.settle}
}

type hooks struct {
	Config
	start     int64        // Unix nanoseconds
	now       func() int64 // the time of what happens to a whole batch at once, read once; 0 leaves it to the Recorder
	producers atomic.Uint32
	consumers atomic.Uint32
	retries   retries
	topics    topics
	bursts    bursts
	settling  sync.Pool // of *[]queue.Delivery
}

// session is what is known of one opened Producer or Consumer.
type session struct {
	client string
	group  string
	topic  string
	stream uint16
	caps   queue.Caps
	track  *track // nil for a consumer
}

func (h *hooks) open(ctx context.Context, s *queue.Session, next func(context.Context) error) error {
	if h.Recorder == nil || h.Start.IsZero() {
		return fmt.Errorf("history: open a session on %q: Config.Recorder and Config.Start must be set: %w", s.Topic, queue.ErrRefused)
	}
	if h.Run == 0 {
		return fmt.Errorf("history: open a session on %q: Config.Run must be set, to a number that no other run has: %w", s.Topic, queue.ErrRefused)
	}
	if err := next(ctx); err != nil {
		return err
	}
	s.State = h.newSession(s)
	return nil
}

func stateOf(s *queue.Session) *session { return s.State.(*session) }

func (h *hooks) newSession(s *queue.Session) *session {
	n := &session{client: s.Client, group: s.Group, topic: s.Topic, stream: h.stream(s.Topic), caps: s.Caps}
	role, count := "consumer", &h.consumers
	if s.Group == "" {
		role, count = "producer", &h.producers
	}
	number := count.Add(1)
	switch {
	case h.Client != nil:
		n.client = h.Client(s)
	case n.client == "":
		n.client = fmt.Sprintf("%s-%d", role, number)
	}
	if s.Group == "" {
		if h.Producer != nil {
			number = h.Producer(s)
		}
		n.track = newTrack(h, n, number)
	}
	return n
}

// stream numbers a topic.
func (h *hooks) stream(topic string) uint16 {
	if h.Stream != nil {
		return h.Stream(topic)
	}
	hash := hashText(topic)
	return uint16(hash ^ hash>>16 ^ hash>>32 ^ hash>>48)
}

func (h *hooks) receive(ctx context.Context, s *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
	ds, err := next(ctx, most)
	if len(ds) == 0 {
		return ds, err
	}
	n, now := stateOf(s), h.now()
	var here queue.Track // belongs to this topic, if known: the next message is often of the same track
	known := false
	receipts := receipts{left: len(ds)}
	b := h.bursts.take()
	defer h.bursts.record(b)
	for i := range ds {
		d := &ds[i]
		envelope, err := queue.OpenEnvelope(&d.Message)
		damage := damageOf(envelope, err, h.Run)
		e := b.next(n.client, n.group)
		e.Kind, e.At, e.Identity, e.Damage, e.Back = Deliver, now, envelope.Identity, damage, envelope.Back
		e.Attempt, e.Partition, e.Offset, e.Claim = int32(d.Attempt), d.Partition, d.Offset, d.Claim
		if damage == Sound || damage == CorruptPayload {
			e.Intended = envelope.SentAt.UnixNano() - h.start // on the wall clock: that is what envelopes carry
			switch track := envelope.Track(); {
			case known && track == here:
			case h.topics.elsewhere(envelope.Identity, n.topic, n.stream):
				e.Name = n.topic
			default:
				here, known = track, true
			}
			receipts.wrap(d, envelope.Identity, e.Name)
		} else {
			e.Detail = d.ID // all there is to find it by
		}
	}
	return ds, err
}

func (h *hooks) settle(ctx context.Context, s *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
	if len(ds) == 0 {
		return next(ctx, how, ds)
	}
	own := h.unwrapped(ds)
	errs := next(ctx, how, *own)
	h.release(own)
	n, now := stateOf(s), h.now()
	b := h.bursts.take()
	defer h.bursts.record(b)
	for i := range ds {
		e := b.next(n.client, n.group)
		about(e, &ds[i], h.Run)
		e.Kind, e.At, e.Claim = Settle, now, ds[i].Claim
		e.Ack = how.Ack
		e.Outcome, e.Detail = outcomeOf(answer(errs, i), n.caps.ConfirmedAck)
	}
	return errs
}

// errNoAnswer is a settlement of which the driver said nothing.
var errNoAnswer = errors.New("the driver returned fewer errors than deliveries")

// answer is what a settlement said of one delivery: a nil slice says that all went well, a short one says nothing of the rest.
func answer(errs []error, i int) error {
	switch {
	case i < len(errs):
		return errs[i]
	case errs != nil:
		return errNoAnswer
	default:
		return nil
	}
}

// outcomeOf is what an error proves, and how that is told; nil proves something only where the queue says so.
func outcomeOf(err error, confirmed bool) (queue.Outcome, string) {
	switch {
	case err != nil:
		return queue.OutcomeOf(err), err.Error()
	case confirmed:
		return queue.OK, ""
	default:
		return queue.Unknown, "no error, and this broker does not confirm"
	}
}

// envelopeOf reads m's envelope without checking the payload against it.
func envelopeOf(m *queue.Message) (queue.Envelope, error) {
	text, ok := m.Header(queue.EnvelopeHeader)
	if !ok {
		return queue.Envelope{}, queue.ErrNoEnvelope
	}
	return queue.ParseEnvelope(text)
}

func damageOf(envelope queue.Envelope, err error, run uint32) Damage {
	switch {
	case err == nil && envelope.Run == run:
		return Sound
	case errors.Is(err, queue.ErrNoEnvelope):
		return Foreign
	case errors.Is(err, queue.ErrCorruptEnvelope):
		return CorruptEnvelope
	case envelope.Run != run:
		return Foreign
	default:
		return CorruptPayload
	}
}

// ProcessedEvent is what an application records when the work of d is done, before it acks:
//
//	recorder.Record(history.ProcessedEvent(&d, "consumer-1", run))
//
// Its identity is zero, and its Damage says why, if d carries no envelope of this run.
func ProcessedEvent(d *queue.Delivery, client string, run uint32) Event {
	e := Event{Kind: Processed, Group: d.Group, Client: client}
	about(&e, d, run)
	return e
}
