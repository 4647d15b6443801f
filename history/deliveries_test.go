package history_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

func TestDamage(t *testing.T) {
	for name, together := range map[string]bool{"one at a time": false, "together": true} {
		t.Run(name, func(t *testing.T) { damage(t, together) })
	}
}

func damage(t *testing.T, together bool) {
	foreign := queue.Envelope{Identity: queue.Identity{Run: 8, Producer: 3, Seq: 5}, SentAt: time.Unix(1, 0)}
	change := func(d *queue.Delivery) {
		d.Headers = slices.Clone(d.Headers)
		switch d.ID {
		case "body":
			d.Body = []byte("changed")
		case "envelope":
			text := []byte(d.Headers[0].Value)
			text[5] ^= 3
			d.Headers[0].Value = string(text)
		case "none":
			d.Headers = nil
		case "other run":
			d.Message = queue.Seal(d.Message, foreign)
		case "other run, body":
			d.Message = queue.Seal(d.Message, foreign)
			d.Body = []byte("changed")
		}
	}
	q := record(history.Config{}, queue.Hooks{
		Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, most)
			for i := range ds {
				change(&ds[i])
			}
			return ds, err
		},
	})
	p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
	own := func(seq uint64) queue.Identity { return queue.Identity{Run: 7, Producer: 1, Seq: seq} }
	tests := []struct {
		id     string
		want   history.Damage
		known  queue.Identity
		detail string
		after  history.Damage // as settle and processed have it: they do not look at the body
	}{
		{"sound", history.Sound, own(0), "", history.Sound},
		{"body", history.CorruptPayload, own(1), "", history.Sound},
		{"envelope", history.CorruptEnvelope, queue.Identity{}, "envelope", history.CorruptEnvelope},
		{"none", history.Foreign, queue.Identity{}, "none", history.Foreign},
		{"other run", history.Foreign, foreign.Identity, "other run", history.Foreign},
		{"other run, body", history.Foreign, foreign.Identity, "other run, body", history.Foreign},
	}
	for _, want := range tests {
		queue.Send(t.Context(), p, queue.Message{ID: want.id, Body: []byte("body")})
		if together {
			continue
		}
		d := receive(t, c, 1)
		q.memory.Record(history.ProcessedEvent(&d[0], "consumer-1", 7))
		c.Settle(t.Context(), queue.Ack(), d)
	}
	if together {
		ds := receive(t, c, len(tests))
		for i := range ds {
			q.memory.Record(history.ProcessedEvent(&ds[i], "consumer-1", 7))
		}
		if errs := c.Settle(t.Context(), queue.Ack(), ds); errs != nil {
			t.Error(errs)
		}
	}
	for i, want := range tests {
		events := make([]history.Event, 0, 3)
		for _, k := range []history.Kind{history.Deliver, history.Processed, history.Settle} {
			events = append(events, q.of(k)[i])
		}
		for _, e := range events {
			e.Identity.Stream = 0
			damage, detail := want.after, ""
			if e.Kind == history.Deliver {
				damage, detail = want.want, want.detail
			}
			if e.Damage != damage || e.Identity != want.known || e.Detail != detail || e.Group != "billing" {
				t.Errorf("%s: %+v", want.id, e)
			}
			if e.Kind == history.Deliver && (e.Intended != 0) != (damage == history.Sound || damage == history.CorruptPayload) {
				t.Errorf("%s: intended at %d", want.id, e.Intended)
			}
		}
	}
}

func TestSettleErrors(t *testing.T) {
	stale := fmt.Errorf("nats: %w", queue.ErrStale)
	answers := [][]error{nil, {nil, stale, queue.ErrRefused}, {nil, nil}}
	q := record(history.Config{}, queue.Hooks{
		Settle: func(context.Context, *queue.Session, queue.Settlement, []queue.Delivery, queue.SettleFunc) []error {
			a := answers[0]
			answers = answers[1:]
			return a
		},
	})
	p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
	want := [][]history.Event{
		{{Outcome: queue.OK}, {Outcome: queue.OK}, {Outcome: queue.OK}},
		{{Outcome: queue.OK}, {Outcome: queue.Unknown, Detail: stale.Error()}, {Outcome: queue.Failed, Detail: "refused"}},
		{{Outcome: queue.OK}, {Outcome: queue.OK}, {Outcome: queue.Unknown, Detail: "the driver returned fewer errors than deliveries"}},
	}
	queue.Send(t.Context(), p, make([]queue.Message, 3)...)
	ds := receive(t, c, 3)
	for n, errs := range answers {
		if got := c.Settle(t.Context(), queue.Ack(), ds); !slices.Equal(got, errs) {
			t.Errorf("the application gets %v, want %v", got, errs)
		}
		for i, e := range q.of(history.Settle)[3*n:] {
			if e.Outcome != want[n][i].Outcome || e.Detail != want[n][i].Detail || e.Identity.Seq != uint64(i) || !e.Ack {
				t.Errorf("%+v, want %+v", e, want[n][i])
			}
		}
	}
}

// With other capabilities than those of the queue beneath.
type lesser struct {
	queue.Queue
	caps queue.Caps
}

func (q lesser) Caps() queue.Caps { return q.caps }

// A nil proves nothing where the broker does not confirm.
func TestWhatIsNotConfirmedIsUnknown(t *testing.T) {
	for _, caps := range []queue.Caps{{}, {ConfirmedSend: true}, {ConfirmedAck: true}, {ConfirmedSend: true, ConfirmedAck: true}} {
		m := &history.Memory{Start: time.Now()}
		hooks := history.Hooks(history.Config{Recorder: m, Start: m.Start, Run: 7})
		q := recorded{queue.Wrap(lesser{memory.New(memory.Config{}), caps}, hooks), m}
		p, c := q.producer(t, "orders"), q.consumer(t, "orders", "billing")
		for range 2 { // the second is no retry: the application was told nil
			queue.Send(t.Context(), p, queue.Message{ID: "a"})
		}
		c.Settle(t.Context(), queue.Ack(), receive(t, c, 2))
		want := map[history.Kind]queue.Outcome{history.Outcome: queue.Unknown, history.Settle: queue.Unknown}
		if caps.ConfirmedSend {
			want[history.Outcome] = queue.OK
		}
		if caps.ConfirmedAck {
			want[history.Settle] = queue.OK
		}
		for i, e := range q.of(history.Outcome, history.Settle) {
			if e.Outcome != want[e.Kind] || (e.Detail == "") != (e.Outcome == queue.OK) || e.Identity.Seq != uint64(i%2) {
				t.Errorf("%+v: %+v", caps, e)
			}
		}
	}
}

func TestClaims(t *testing.T) {
	q := record(history.Config{}, queue.Hooks{
		Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, most)
			for i := range ds {
				ds[i].Claim = int64(40 + i)
			}
			return ds, err
		},
	})
	queue.Send(t.Context(), q.producer(t, "orders"), make([]queue.Message, 3)...)
	c := q.consumer(t, "orders", "billing")
	c.Settle(t.Context(), queue.Ack(), receive(t, c, 3))
	for i, e := range q.of(history.Deliver, history.Settle) {
		if e.Claim != int64(40+i%3) {
			t.Errorf("%v with claim %d, want %d", e.Kind, e.Claim, 40+i%3)
		}
	}
}
