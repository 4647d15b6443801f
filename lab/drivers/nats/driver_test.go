package nats_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
)

func TestRoundTrip(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	c := connect(t, nats.Config{Servers: addresses(s)})
	p, k := producer(t, c, "eu.orders"), consumer(t, c, "eu.orders", "billing 1")
	at := time.Date(2031, 2, 3, 4, 5, 6, 7, time.UTC)
	sent := []queue.Message{
		{ID: "a", Key: "k1", Body: []byte("hello"), Timestamp: at, Headers: []queue.Header{
			{Key: "z", Value: "1"}, {Key: "A", Value: "2"}, {Key: "z", Value: "3"}, {Key: "a", Value: ""}, {Key: "A", Value: "ü"}}},
		{ID: " odd\r\nid", Key: "key\n", Body: []byte{}, Timestamp: at, Headers: []queue.Header{
			{Key: "Nats-Msg-Id", Value: "mine"}, {Key: "Havoq-Order", Value: "x"}, {Key: "", Value: " padded "},
			{Key: "with: colon", Value: "line\nend"}, {Key: "Status", Value: "503"}, {Key: "Havoq-X-", Value: "=64:AA"}}},
		{Body: []byte("bare")},
	}
	results := send(t, p, queue.OK, sent...)
	got := receive(t, k, 3)
	for i, d := range got {
		if d.Offset != results[i].Offset || d.Offset != int64(i+1) || d.Attempt != 1 || d.Claim != 0 ||
			d.Topic != "eu.orders" || d.Group != "billing 1" {
			t.Errorf("delivery %d: %+v of %+v", i, d, results[i])
		}
	}
	if since := time.Since(got[2].Timestamp); since < 0 || since > time.Minute {
		t.Errorf("a message without a timestamp got %v", got[2].Timestamp)
	}
	got[2].Timestamp = time.Time{}
	for i, m := range sent {
		have := got[i].Message
		if diff := cmp.Diff(m, have, cmp.Comparer(time.Time.Equal), cmp.Transformer("text", func(b []byte) string { return string(b) })); diff != "" {
			t.Errorf("message %d (-sent +received):\n%s", i, diff)
		}
	}
	settle(t, k, queue.Ack(), got)
	d, err := c.Depth(t.Context(), "eu.orders", "billing 1")
	if err != nil || d.Total() != 0 {
		t.Errorf("depth after all acks: %+v, %v", d, err)
	}
}

func TestDuplicates(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1))})
	p := producer(t, c, "orders")
	first := send(t, p, queue.OK, queue.Message{ID: "x"})[0]
	second := send(t, p, queue.OK, queue.Message{ID: "x"})[0]
	if first.Duplicate || !second.Duplicate || second.Offset != first.Offset {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if r := send(t, p, queue.OK, queue.Message{}, queue.Message{}); r[0].Duplicate || r[1].Duplicate {
		t.Errorf("messages without an ID are duplicates: %+v", r)
	}
}

func TestGroupsAndDepth(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1))})
	if _, err := c.Depth(t.Context(), "orders", "a"); err == nil {
		t.Error("depth of a topic that does not exist: no error")
	}
	send(t, producer(t, c, "orders"), queue.OK, numbered(0, 10)...)
	depth := func(group string, ready, inFlight int64) {
		t.Helper()
		if d, err := c.Depth(t.Context(), "orders", group); err != nil || d.Ready != ready || d.InFlight != inFlight {
			t.Errorf("depth of %s: %+v, %v; want %d, %d", group, d, err, ready, inFlight)
		}
	}
	depth("a", 10, 0)
	a1, a2, b := consumer(t, c, "orders", "a"), consumer(t, c, "orders", "a"), consumer(t, c, "orders", "b")
	depth("a", 10, 0)
	one := receive(t, a1, 4)
	two := receive(t, a2, 6)
	depth("a", 0, 10)
	depth("b", 10, 0)
	all := append(slices.Clone(one), two...)
	if bodies(all) != bodies(receive(t, b, 10)) {
		t.Errorf("the members of a got %s", bodies(all))
	}
	settle(t, a1, queue.Ack(), one)
	depth("a", 0, 6)
	settle(t, a1, queue.Ack(), two) // acks are not bound to the session that received
	depth("a", 0, 0)
}

func TestRedelivery(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1)), AckTimeout: 300 * time.Millisecond})
	send(t, producer(t, c, "orders"), queue.OK, numbered(0, 3)...)
	k := consumer(t, c, "orders", "g")
	ds := receive(t, k, 3)
	settle(t, k, queue.Ack(), ds[:1])
	settle(t, k, queue.Nack(0), ds[1:2])
	again := receive(t, k, 1)[0]
	if again.ID != "m1" || again.Attempt != 2 {
		t.Fatalf("after a nack: %s, attempt %d", again.ID, again.Attempt)
	}
	settle(t, k, queue.Ack(), []queue.Delivery{again})
	late := receive(t, k, 1)[0]
	if late.ID != "m2" || late.Attempt != 2 {
		t.Fatalf("after the ack timeout: %s, attempt %d", late.ID, late.Attempt)
	}
	start := time.Now()
	settle(t, k, queue.Nack(200*time.Millisecond), []queue.Delivery{late})
	delayed := receive(t, k, 1)[0]
	if waited := time.Since(start); delayed.ID != "m2" || delayed.Attempt != 3 || waited < 195*time.Millisecond {
		t.Errorf("after a nack with a delay of 200ms: %s, attempt %d, after %s", delayed.ID, delayed.Attempt, waited)
	}
	settle(t, k, queue.Ack(), ds[2:]) // the first delivery's receipt still counts: that is why Claim is 0
	eventually(t, time.Second, "depth 0", func() bool {
		d, err := c.Depth(t.Context(), "orders", "g")
		return err == nil && d.Total() == 0
	})
}

func TestCloseGivesBack(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1)), AckTimeout: time.Minute})
	send(t, producer(t, c, "orders"), queue.OK, numbered(0, 100)...)
	k := consumer(t, c, "orders", "g")
	held, err := k.Receive(within(t, 10*time.Second), 60) // 60 on their way, perhaps not all here yet
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(within(t, 10*time.Second)); err != nil {
		t.Errorf("second close: %v", err)
	}
	for _, err := range k.Settle(t.Context(), queue.Ack(), held[:1]) {
		if !errors.Is(err, queue.ErrClosed) {
			t.Errorf("settle after close: %v", err)
		}
	}
	if _, err := k.Receive(t.Context(), 1); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("receive after close: %v", err)
	}
	seen := map[string]bool{}
	next := consumer(t, c, "orders", "g")
	for _, d := range receive(t, next, 100) {
		seen[d.ID] = true
	}
	if len(seen) != 100 {
		t.Errorf("the next session got %d of 100", len(seen))
	}
}

func TestAbruptCloseWaitsForTheAckTimeout(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1)), AckTimeout: 500 * time.Millisecond})
	send(t, producer(t, c, "orders"), queue.OK, numbered(0, 1)...)
	k := consumer(t, c, "orders", "g")
	start := time.Now()
	receive(t, k, 1)
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Close(dead); err != nil {
		t.Fatal(err)
	}
	d := receive(t, consumer(t, c, "orders", "g"), 1)[0]
	if waited := time.Since(start); d.Attempt != 2 || waited < 490*time.Millisecond {
		t.Errorf("attempt %d after %s", d.Attempt, waited)
	}
}

func TestRefusedByTheClient(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1))})
	p := producer(t, c, "orders")
	r := send(t, p, queue.Failed, queue.Message{NotBefore: time.Now().Add(time.Hour)})[0]
	if !strings.Contains(r.Err.Error(), "NotBefore") || r.Offset != -1 || r.Partition != -1 {
		t.Errorf("%+v", r)
	}
	send(t, p, queue.Failed, queue.Message{Body: make([]byte, c.Caps().MaxBody+8192)})
	send(t, p, queue.OK, queue.Message{Body: make([]byte, c.Caps().MaxBody)})
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if r := queue.Send(dead, p, queue.Message{})[0]; queue.OutcomeOf(r.Err) != queue.Failed || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("with an ended context: %v", r.Err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := queue.Send(t.Context(), p, queue.Message{})[0]; !errors.Is(r.Err, queue.ErrClosed) {
		t.Errorf("after close: %v", r.Err)
	}
}

func TestFullStreamRefuses(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1)), MaxMsgs: 5})
	p := producer(t, c, "orders")
	send(t, p, queue.OK, numbered(0, 5)...)
	r := send(t, p, queue.Failed, numbered(5, 2)...)
	if !strings.Contains(r[0].Err.Error(), "maximum messages exceeded") {
		t.Error(r[0].Err)
	}
	if d, err := c.Depth(t.Context(), "orders", "g"); err != nil || d.Ready != 5 {
		t.Errorf("depth %+v, %v", d, err)
	}
}

func TestWorkqueueFreesAPlaceWithEveryAck(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1)), MaxMsgs: 5, Retention: "workqueue"})
	p, k := producer(t, c, "orders"), consumer(t, c, "orders", "g")
	send(t, p, queue.OK, numbered(0, 5)...)
	send(t, p, queue.Failed, numbered(5, 1)...)
	settle(t, k, queue.Ack(), receive(t, k, 2))
	send(t, p, queue.OK, numbered(6, 2)...)
	send(t, p, queue.Failed, numbered(8, 1)...)
	if _, err := c.Consumer(within(t, 5*time.Second), "orders", "another"); err == nil {
		t.Error("a second group of a workqueue would steal from the first: no error")
	}
}

func TestOtherSettingsAreAnError(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	producer(t, connect(t, nats.Config{Servers: addresses(s), MaxMsgs: 5}), "orders")
	consumer(t, connect(t, nats.Config{Servers: addresses(s), AckTimeout: time.Second}), "orders", "g")
	for want, cfg := range map[string]nats.Config{
		"max-msgs is 5, asked for 6":           {MaxMsgs: 6},
		"replicas is 1, asked for 3":           {Replicas: 3},
		"retention is Limits, asked for":       {Retention: "workqueue"},
		"storage is File, asked for Memory":    {Storage: "memory"},
		"dedup-window is 2m0s, asked for 1m0s": {DedupWindow: time.Minute},
		"ack-timeout is 1s, asked for 2s":      {AckTimeout: 2 * time.Second},
	} {
		cfg.Servers = addresses(s)
		_, err := connect(t, cfg).Consumer(within(t, 10*time.Second), "orders", "g")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for _, cfg := range []nats.Config{{}, {MaxMsgs: 5}, {Replicas: 1, Storage: "file"}, {AckTimeout: time.Second}} {
		cfg.Servers = addresses(s)
		if _, err := connect(t, cfg).Consumer(within(t, 10*time.Second), "orders", "g"); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if _, err := connect(t, nats.Config{Servers: addresses(s), Replicas: 3}).Producer(within(t, 10*time.Second), "new"); err == nil {
		t.Error("three replicas on one server: no error")
	}
}

func TestManyMessages(t *testing.T) {
	const n = 10_000
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1)), Window: 256})
	p := producer(t, c, "orders")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; i < n; i += 100 {
			for _, r := range queue.Send(t.Context(), p, numbered(i, 100)...) {
				if r.Err != nil {
					t.Error(r.Err)
				}
			}
		}
	}()
	k := consumer(t, c, "orders", "g")
	for got := 0; got < n; {
		ds, err := k.Receive(within(t, 20*time.Second), 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			if want := fmt.Sprintf("m%d", got); d.ID != want || d.Attempt != 1 {
				t.Fatalf("got %s, attempt %d; want %s", d.ID, d.Attempt, want)
			}
			got++
		}
		settle(t, k, queue.Ack(), ds)
	}
	<-done
}
