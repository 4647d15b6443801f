package history_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// failingSends fails sends with these errors, one after the other, and then lets them pass.
func failingSends(errs ...error) queue.Hooks {
	var mu sync.Mutex
	return queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
		for i := range batch {
			mu.Lock()
			var err error
			if len(errs) > 0 {
				err, errs = errs[0], errs[1:]
			}
			mu.Unlock()
			if err != nil {
				done(i, queue.Result{Partition: -1, Offset: -1, Err: err})
				continue
			}
			next(ctx, batch[i:i+1], func(_ int, r queue.Result) { done(i, r) })
		}
	}}
}

func TestARetryKeepsItsIdentity(t *testing.T) {
	cut := fmt.Errorf("nats: cut: %w", queue.ErrUnconfirmed)
	full := fmt.Errorf("nats: full: %w", queue.ErrRefused)
	q := record(history.Config{}, failingSends(nil, cut, full, nil, nil, nil))
	ctx, p := t.Context(), q.producer(t, "orders")
	first := time.Now()
	queue.Send(ctx, p, queue.Message{ID: "a", Key: "k"})
	queue.Send(ctx, p, queue.Message{ID: "b", Key: "k", Timestamp: first})
	queue.Send(ctx, q.producer(t, "orders"), queue.Message{ID: "b", Key: "k"}) // by another session
	queue.Send(ctx, p, queue.Message{ID: "c", Key: "k"}, queue.Message{ID: "b", Key: "k"}, queue.Message{ID: "b", Key: "k"})

	type line struct {
		kind    history.Kind
		seq     uint64
		attempt int32
		back    uint32
		outcome queue.Outcome
		detail  string
	}
	var got []line
	for _, e := range q.of(history.Invoke, history.Outcome) {
		if e.Identity.Producer != 1 {
			t.Errorf("%+v is another message", e)
		}
		got = append(got, line{e.Kind, e.Identity.Seq, e.Attempt, e.Back, e.Outcome, e.Detail})
		if e.Kind == history.Invoke && e.Identity.Seq == 1 && e.Intended != first.UnixNano()-q.memory.Start.UnixNano() {
			t.Errorf("intended %d: not when the message was first meant to be sent", e.Intended)
		}
	}
	want := []line{
		{history.Invoke, 0, 1, 0, 0, ""}, {history.Outcome, 0, 1, 0, queue.OK, ""},
		{history.Invoke, 1, 1, 1, 0, ""}, {history.Outcome, 1, 1, 0, queue.Unknown, "nats: cut: not confirmed"},
		{history.Invoke, 1, 2, 1, 0, ""}, {history.Outcome, 1, 2, 0, queue.Failed, "nats: full: refused"},
		{history.Invoke, 2, 1, 1, 0, ""}, {history.Invoke, 1, 3, 1, 0, ""}, {history.Invoke, 3, 1, 1, 0, ""},
		{history.Outcome, 2, 1, 0, queue.OK, ""}, {history.Outcome, 1, 3, 0, queue.OK, ""}, {history.Outcome, 3, 1, 0, queue.OK, ""},
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
	var seqs []uint64
	for _, d := range receive(t, q.consumer(t, "orders", "billing"), 4) {
		e, err := queue.OpenEnvelope(&d.Message)
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, e.Seq)
	}
	if !slices.Equal(seqs, []uint64{0, 2, 1, 3}) {
		t.Error(seqs)
	}
}

func TestRetriesAreBounded(t *testing.T) {
	errs := slices.Repeat([]error{queue.ErrUnconfirmed}, 100)
	q := record(history.Config{Retries: 10}, failingSends(errs...))
	ctx, p := t.Context(), q.producer(t, "orders")
	for i := range 100 {
		queue.Send(ctx, p, queue.Message{ID: fmt.Sprint(i)})
	}
	gaps := q.of(history.Gap)
	if len(gaps) != 1 || gaps[0].Name != history.GapRetries || gaps[0].Value != 1 || !strings.Contains(gaps[0].Detail, "more than 10 messages") {
		t.Fatal(gaps)
	}
	queue.Send(ctx, p, queue.Message{ID: "89"}, queue.Message{ID: "90"}, queue.Message{ID: "99"}, queue.Message{})
	var seqs []uint64
	for _, e := range q.of(history.Invoke)[100:] {
		seqs = append(seqs, e.Identity.Seq)
	}
	if want := []uint64{100, 90, 99, 101}; !slices.Equal(seqs, want) {
		t.Errorf("%d, want %d: only the ten youngest are remembered", seqs, want)
	}
}

// The limit is on messages, not on their attempts.
func TestAMessageThatFailsAgainAndAgainIsRememberedOnce(t *testing.T) {
	q := record(history.Config{Retries: 2}, failingSends(slices.Repeat([]error{queue.ErrUnconfirmed}, 21)...))
	ctx, p := t.Context(), q.producer(t, "orders")
	queue.Send(ctx, p, queue.Message{ID: "a"})
	for range 20 {
		queue.Send(ctx, p, queue.Message{ID: "b"})
	}
	queue.Send(ctx, p, queue.Message{ID: "a"}, queue.Message{ID: "b"})
	outcomes := q.of(history.Outcome)
	if a, b := outcomes[21], outcomes[22]; a.Identity.Seq != 0 || a.Attempt != 2 || b.Identity.Seq != 1 || b.Attempt != 21 {
		t.Errorf("%+v and %+v are not the messages that they were", a, b)
	}
	if gaps := q.of(history.Gap); len(gaps) != 0 {
		t.Error(gaps)
	}
}

// One ID that is under way twice and fails twice takes one place.
func TestAnIDThatFailsTwiceAtOnceIsRememberedOnce(t *testing.T) {
	q := record(history.Config{Retries: 2}, failingSends(slices.Repeat([]error{queue.ErrUnconfirmed}, 5)...))
	ctx, p := t.Context(), q.producer(t, "orders")
	queue.Send(ctx, p, queue.Message{ID: "a"}, queue.Message{ID: "a"})
	for _, id := range []string{"b", "c", "d"} {
		queue.Send(ctx, p, queue.Message{ID: id})
	}
	queue.Send(ctx, p, queue.Message{ID: "b"}, queue.Message{ID: "c"}, queue.Message{ID: "d"})
	var seqs []uint64
	for _, e := range q.of(history.Invoke)[5:] {
		seqs = append(seqs, e.Identity.Seq)
	}
	if want := []uint64{5, 3, 4}; !slices.Equal(seqs, want) {
		t.Errorf("%d, want %d: the two youngest are remembered", seqs, want)
	}
}

func TestManyForgottenRetriesAreToldOfInFewEvents(t *testing.T) {
	const n = 5000
	q := record(history.Config{Retries: 10}, failingSends(slices.Repeat([]error{queue.ErrUnconfirmed}, n)...))
	p := q.producer(t, "orders")
	for i := range n {
		queue.Send(t.Context(), p, queue.Message{ID: fmt.Sprint(i)})
	}
	var told []float64
	for _, g := range q.of(history.Gap) {
		told = append(told, g.Value)
	}
	if want := []float64{1, 1024, 1024, 1024, 1024}; !slices.Equal(told, want) {
		t.Errorf("%v, want %v", told, want)
	}
}

// A service that copies the headers and changes the body means the new body: nobody has corrupted it.
func TestANewBodyUnderAnOldEnvelopeIsSealedAgain(t *testing.T) {
	q := record(history.Config{})
	ctx := t.Context()
	queue.Send(ctx, q.producer(t, "orders"), queue.Message{ID: "a", Key: "k", Body: []byte("order")})
	d := receive(t, q.consumer(t, "orders", "billing"), 1)[0]
	invoice := d.Message
	invoice.Body = []byte("invoice")
	queue.Send(ctx, q.producer(t, "invoices"), invoice)
	receive(t, q.consumer(t, "invoices", "mail"), 1)
	ds := q.of(history.Deliver)
	if ds[1].Damage != history.Sound || ds[1].Identity != ds[0].Identity || ds[1].Intended != ds[0].Intended || ds[1].Name != "invoices" {
		t.Errorf("%+v", ds[1])
	}
	if h := invoice.Headers; h[0] != d.Headers[0] {
		t.Error("the application's headers have changed")
	}
}

// A dead letter is sent through the recorded queue with its envelope, so it stays the message that it is.
func TestDeadLettersKeepTheirIdentity(t *testing.T) {
	for name, stream := range map[string]func(string) uint16{"hashed": nil, "one number": func(string) uint16 { return 0 }} {
		t.Run(name, func(t *testing.T) { deadLetters(t, stream) })
	}
}

func deadLetters(t *testing.T, stream func(string) uint16) {
	q := record(history.Config{Stream: stream, DeadLetter: func(topic string) (string, bool) {
		group, ok := strings.CutPrefix(topic, "dead.")
		return group, ok
	}}, failingSends(nil, queue.ErrUnconfirmed))
	ctx := t.Context()
	queue.Send(ctx, q.producer(t, "orders"), queue.Message{ID: "a", Body: []byte("poison")})
	d := receive(t, q.consumer(t, "orders", "billing"), 1)[0]
	dead := q.producer(t, "dead.billing")
	before := len(q.of(history.Reserve))
	for range 2 { // the first attempt is not confirmed
		queue.Send(ctx, dead, d.Message)
	}
	moved := receive(t, q.consumer(t, "dead.billing", "people"), 1)[0]
	if !slices.Equal(moved.Headers, d.Headers) {
		t.Error("the envelope has changed")
	}
	own := q.of(history.Deliver)[0].Identity
	events := q.of(history.Invoke, history.Outcome, history.DeadLetter)[2:]
	for i := range events {
		if events[i].Identity != own {
			t.Errorf("%v: another identity, %+v", events[i].Kind, events[i].Identity)
		}
		events[i] = history.Event{
			Kind: events[i].Kind, Attempt: events[i].Attempt, Outcome: events[i].Outcome, Name: events[i].Name, Group: events[i].Group,
		}
	}
	want := []history.Event{
		{Kind: history.Invoke, Attempt: 1, Name: "dead.billing"},
		{Kind: history.Outcome, Attempt: 1, Name: "dead.billing"},
		{Kind: history.Invoke, Attempt: 2, Name: "dead.billing"},
		{Kind: history.Outcome, Attempt: 2, Name: "dead.billing", Outcome: queue.OK},
		{Kind: history.DeadLetter, Group: "billing"},
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Error(diff)
	}
	if len(q.of(history.Reserve)) != before {
		t.Error("numbers were reserved for messages that have one")
	}
}

// A message that is sent on, fails, and is then made anew by the application is still the same.
func TestARetryWithoutTheEnvelopeGetsItAgain(t *testing.T) {
	q := record(history.Config{}, failingSends(nil, queue.ErrUnconfirmed))
	ctx, p, c := t.Context(), q.producer(t, "orders"), q.consumer(t, "orders", "billing")
	queue.Send(ctx, p, queue.Message{ID: "a"})
	d := receive(t, c, 1)[0]
	queue.Send(ctx, p, d.Message)
	queue.Send(ctx, p, queue.Message{ID: "a"})
	receive(t, c, 1)
	ds := q.of(history.Deliver)
	if ds[0].Identity != ds[1].Identity || ds[1].Damage != history.Sound {
		t.Fatal(ds)
	}
}

func TestNumbersAreReservedBeforeUse(t *testing.T) {
	q := record(history.Config{})
	p := q.producer(t, "orders")
	for _, n := range []int{1, 4094, 1, 1, 9000, 1} {
		queue.Send(t.Context(), p, make([]queue.Message, n)...)
	}
	var until, next uint64
	var reservations []float64
	for _, e := range q.of(history.Reserve, history.Invoke) {
		if e.Kind == history.Reserve {
			if e.Identity.Seq != until {
				t.Fatalf("reserved from %d, want from %d", e.Identity.Seq, until)
			}
			until += uint64(e.Value)
			reservations = append(reservations, e.Value)
			continue
		}
		if e.Identity.Seq != next || next >= until {
			t.Fatalf("number %d is used, want %d, reserved are those below %d", e.Identity.Seq, next, until)
		}
		next++
	}
	if want := []float64{4096, 4096, 8192}; !slices.Equal(reservations, want) {
		t.Errorf("reserved %v, want %v", reservations, want)
	}
}

func TestBackIsTheDistanceToTheSameKey(t *testing.T) {
	q := record(history.Config{})
	p, other := q.producer(t, "orders"), q.producer(t, "orders")
	for _, k := range "abcab-c" {
		key := strings.Trim(string(k), "-")
		queue.Send(t.Context(), p, queue.Message{Key: key})
	}
	queue.Send(t.Context(), other, queue.Message{Key: "a"})
	var got []uint32
	for _, e := range q.of(history.Invoke) {
		got = append(got, e.Back)
	}
	if want := []uint32{0, 0, 0, 3, 3, 0, 4, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// With more keys than are remembered, some have no Back, and none a wrong one.
func TestKeysAreBounded(t *testing.T) {
	for _, c := range []struct{ keys, least int }{{64, 9000}, {1000, 9000}, {100_000, 0}} {
		q := record(history.Config{})
		p := q.producer(t, "orders")
		key := func(seq uint64) string { return fmt.Sprint(seq * 7919 % uint64(c.keys)) }
		for seq := range uint64(10_000) {
			queue.Send(t.Context(), p, queue.Message{Key: key(seq)})
		}
		last := map[string]uint64{}
		known := 0
		for _, e := range q.of(history.Invoke) {
			before, ok := last[key(e.Identity.Seq)]
			if e.Back != 0 {
				known++
				if !ok || e.Identity.Seq-uint64(e.Back) != before {
					t.Fatalf("%d keys: message %d has back %d, and the one before was %d", c.keys, e.Identity.Seq, e.Back, before)
				}
			}
			last[key(e.Identity.Seq)] = e.Identity.Seq
		}
		if known < c.least-c.keys {
			t.Errorf("%d keys: only %d messages of 10000 have a back", c.keys, known)
		}
		if gaps := q.of(history.Gap); (len(gaps) > 0) != (c.keys > 8192) {
			t.Errorf("%d keys: %v", c.keys, gaps)
		}
	}
}

// Whenever a message has no Back although its key came before, the history has said that keys were forgotten.
func TestForgottenKeysAreToldOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		sent := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 200).Draw(t, "keys")
		m := &history.Memory{Start: time.Now()}
		q := queue.Wrap(memory.New(memory.Config{}), history.Hooks(history.Config{Recorder: m, Start: m.Start, Run: 7, Keys: limit}))
		p, err := q.Producer(context.Background(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range sent {
			queue.Send(context.Background(), p, queue.Message{Key: fmt.Sprint(key)})
		}
		last, unlinked, forgotten := map[int]int{}, 0, 0
		for e := range m.Events() {
			switch e.Kind {
			case history.Gap:
				if e.Name != history.GapKeys || e.Client != "producer-1" {
					t.Fatal(e)
				}
				forgotten += int(e.Value)
			case history.Invoke:
				seq := int(e.Identity.Seq)
				before, known := last[sent[seq]]
				last[sent[seq]] = seq
				switch {
				case e.Back != 0 && seq-int(e.Back) != before:
					t.Fatalf("back %d of message %d is wrong", e.Back, seq)
				case e.Back == 0 && known:
					if unlinked++; unlinked > forgotten {
						t.Fatalf("message %d lacks its back, and only %d keys are said to be forgotten", seq, forgotten)
					}
				}
			}
		}
	})
}
