package nats_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// pair is one server with two connections to it: direct, and through a valve.
func pair(t *testing.T, cfg nats.Config) (v *valve, direct, through *nats.Conn) {
	t.Helper()
	s := run(t, t.TempDir(), -1)
	v = newValve(t, s.Addr().String())
	cfg.Servers = addresses(s)
	direct = connect(t, cfg)
	cfg.Servers = []string{v.address()}
	return v, direct, connect(t, cfg)
}

// stored waits until the topic holds n messages.
func stored(t *testing.T, c *nats.Conn, topic string, n int64) {
	t.Helper()
	eventually(t, 10*time.Second, fmt.Sprintf("%d messages stored", n), func() bool {
		d, err := c.Depth(t.Context(), topic, "nobody")
		return err == nil && d.Ready == n
	})
}

// outcomes collects results of messages in flight.
type outcomes struct {
	mu      sync.Mutex
	results map[int]queue.Result
	twice   int
}

func (o *outcomes) done(i int, r queue.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.results == nil {
		o.results = map[int]queue.Result{}
	}
	if _, ok := o.results[i]; ok {
		o.twice++
	}
	o.results[i] = r
}

func (o *outcomes) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.results)
}

func (o *outcomes) all(t *testing.T, want queue.Outcome, cause string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, r := range o.results {
		if queue.OutcomeOf(r.Err) != want || r.Err != nil && !strings.Contains(r.Err.Error(), cause) {
			t.Errorf("message %d: %s (%v), want %s because of %q", i, queue.OutcomeOf(r.Err), r.Err, want, cause)
		}
	}
	if o.twice > 0 {
		t.Errorf("done was called again for %d messages", o.twice)
	}
}

func TestWindowBlocksAndUnblocks(t *testing.T) {
	v, direct, through := pair(t, nats.Config{Window: 4})
	p := producer(t, through, "orders")
	v.close()
	var o outcomes
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		p.Produce(t.Context(), numbered(0, 10), o.done)
	}()
	stored(t, direct, "orders", 4)
	select {
	case <-returned:
		t.Error("Produce of 10 returned with a window of 4 and no answer")
	default:
	}
	if n := o.count(); n != 0 {
		t.Errorf("%d results before any answer", n)
	}
	v.open()
	<-returned
	eventually(t, 5*time.Second, "all results", func() bool { return o.count() == 10 })
	o.all(t, queue.OK, "")
}

func TestFullWindowAndEndedContext(t *testing.T) {
	v, direct, through := pair(t, nats.Config{Window: 4})
	p := producer(t, through, "orders")
	v.close()
	ctx, cancel := context.WithCancel(t.Context())
	var o outcomes
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		p.Produce(ctx, numbered(0, 6), o.done)
	}()
	stored(t, direct, "orders", 4)
	cancel()
	<-returned
	eventually(t, 5*time.Second, "all results", func() bool { return o.count() == 6 })
	unknown, refused := 0, 0
	for i, r := range o.results {
		switch queue.OutcomeOf(r.Err) {
		case queue.Unknown:
			unknown++
		case queue.Failed:
			refused++
		}
		if !errors.Is(r.Err, context.Canceled) {
			t.Errorf("message %d: %v", i, r.Err)
		}
	}
	if unknown != 4 || refused != 2 {
		t.Errorf("%d unknown and %d refused of 4 in flight and 2 waiting", unknown, refused)
	}
	v.open() // the late answers belong to nobody
	for i, r := range send(t, p, queue.OK, numbered(100, 8)...) {
		if r.Offset != int64(5+i) || r.Duplicate {
			t.Errorf("message %d after late answers: %+v", i, r)
		}
	}
}

func TestSendTimeoutIsUnknown(t *testing.T) {
	v, direct, through := pair(t, nats.Config{SendTimeout: 200 * time.Millisecond})
	p := producer(t, through, "orders")
	v.close()
	for i, r := range send(t, p, queue.Unknown, numbered(0, 3)...) {
		if !strings.Contains(r.Err.Error(), "no answer in time") || !errors.Is(r.Err, queue.ErrUnconfirmed) {
			t.Errorf("message %d: %v", i, r.Err)
		}
	}
	stored(t, direct, "orders", 3)
	v.open()
	for i, r := range send(t, p, queue.OK, numbered(0, 3)...) {
		if !r.Duplicate || r.Offset != int64(i+1) {
			t.Errorf("retry %d: %+v", i, r)
		}
	}
}

func TestLostConnectionIsUnknownAtOnce(t *testing.T) {
	v, direct, through := pair(t, nats.Config{SendTimeout: time.Minute})
	p := producer(t, through, "orders")
	v.close()
	var o outcomes
	p.Produce(t.Context(), numbered(0, 3), o.done)
	stored(t, direct, "orders", 3)
	v.cut()
	v.open()
	eventually(t, 5*time.Second, "all results", func() bool { return o.count() == 3 })
	o.all(t, queue.Unknown, "connection was lost")
	for i, r := range send(t, p, queue.OK, numbered(0, 3)...) {
		if !r.Duplicate {
			t.Errorf("retry %d: %+v", i, r)
		}
	}
}

// TestServerStopped stops and starts a server while messages flow. Nothing that was confirmed may be missing, nothing that
// was refused may be there, and a retry settles the rest.
func TestServerStopped(t *testing.T) {
	const n = 3000
	dir := t.TempDir()
	s := run(t, dir, -1)
	c := connect(t, nats.Config{Servers: addresses(s), SendTimeout: 2 * time.Second, Window: 128})
	p := producer(t, c, "orders")
	var o outcomes
	half := make(chan struct{})
	sent := make(chan struct{})
	ctx := within(t, 30*time.Second)
	go func() {
		defer close(sent)
		for i, m := range numbered(0, n) {
			if i == n/3 {
				close(half)
			}
			p.Produce(ctx, []queue.Message{m}, func(_ int, r queue.Result) { o.done(i, r) })
		}
	}()
	<-half
	at := port(s)
	stop(s)
	run(t, dir, at)
	<-sent
	eventually(t, 10*time.Second, "all results", func() bool { return o.count() == n })
	var again []queue.Message
	unknown := 0
	for i, m := range numbered(0, n) {
		if r := o.results[i]; r.Err != nil {
			again = append(again, m)
			if queue.OutcomeOf(r.Err) == queue.Unknown {
				unknown++
			}
		}
	}
	t.Logf("%d of %d not confirmed, %d of them unknown", len(again), n, unknown)
	there := map[string]bool{}
	k := consumer(t, c, "orders", "audit")
	d, err := c.Depth(t.Context(), "orders", "audit")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range receive(t, k, int(d.Ready)) {
		there[d.ID] = true
	}
	for i, m := range numbered(0, n) {
		switch r := o.results[i]; {
		case r.Err == nil && !there[m.ID]:
			t.Errorf("%s was confirmed and is not there", m.ID)
		case queue.OutcomeOf(r.Err) == queue.Failed && there[m.ID]:
			t.Errorf("%s was refused and is there: %v", m.ID, r.Err)
		}
	}
	if o.twice > 0 {
		t.Errorf("done was called again for %d messages", o.twice)
	}
	for i, r := range send(t, p, queue.OK, again...) {
		if r.Duplicate != there[again[i].ID] {
			t.Errorf("retry of %s: duplicate %v, it was there: %v", again[i].ID, r.Duplicate, there[again[i].ID])
		}
	}
	stored(t, c, "orders", n)
}

func TestProduceWaitsForTheServer(t *testing.T) {
	dir := t.TempDir()
	s := run(t, dir, -1)
	at := port(s)
	c := connect(t, nats.Config{Servers: addresses(s), SendTimeout: 400 * time.Millisecond})
	p := producer(t, c, "orders")
	stop(s)
	eventually(t, 5*time.Second, "a refusal after SendTimeout", func() bool {
		start := time.Now()
		r := queue.Send(t.Context(), p, queue.Message{ID: "x"})[0]
		return queue.OutcomeOf(r.Err) == queue.Failed && strings.Contains(r.Err.Error(), "not connected") &&
			time.Since(start) >= 400*time.Millisecond
	})
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if r := queue.Send(short, p, queue.Message{ID: "y"})[0]; queue.OutcomeOf(r.Err) != queue.Failed || !errors.Is(r.Err, context.DeadlineExceeded) {
		t.Errorf("with a short deadline: %v", r.Err)
	}
	run(t, dir, at)
	eventually(t, 10*time.Second, "it works again", func() bool {
		return queue.Send(t.Context(), p, queue.Message{ID: "x"})[0].Err == nil
	})
	stored(t, c, "orders", 1) // what was refused was not written later
}

func TestReceiveOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	s := run(t, dir, -1)
	at := port(s)
	c := connect(t, nats.Config{Servers: addresses(s)})
	p, k := producer(t, c, "orders"), consumer(t, c, "orders", "g")
	send(t, p, queue.OK, numbered(0, 1)...)
	settle(t, k, queue.Ack(), receive(t, k, 1))
	stop(s)
	if _, err := k.Receive(within(t, 300*time.Millisecond), 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("receive without a server: %v", err)
	}
	got := make(chan []queue.Delivery, 1)
	go func() {
		ds, err := k.Receive(within(t, 20*time.Second), 10)
		if err != nil {
			t.Errorf("receive over the restart: %v", err)
		}
		got <- ds
	}()
	run(t, dir, at)
	eventually(t, 10*time.Second, "a send", func() bool {
		return queue.Send(t.Context(), p, numbered(1, 1)...)[0].Err == nil
	})
	if ds := <-got; bodies(ds) != "body 1" {
		t.Errorf("got %q", bodies(ds))
	}
}

func TestSettleWithoutAnAnswer(t *testing.T) {
	v, direct, through := pair(t, nats.Config{SettleTimeout: 300 * time.Millisecond})
	send(t, producer(t, direct, "orders"), queue.OK, numbered(0, 2)...)
	k := consumer(t, through, "orders", "g")
	ds := receive(t, k, 2)
	v.close()
	for i, err := range k.Settle(t.Context(), queue.Ack(), ds) {
		if !errors.Is(err, queue.ErrUnconfirmed) || queue.OutcomeOf(err) != queue.Unknown {
			t.Errorf("settle %d: %v", i, err)
		}
	}
	v.open()
	settle(t, k, queue.Ack(), ds)
}

// TestSettleOverALostConnection: an ack whose answer is lost with the connection is repeated on the next one.
func TestSettleOverALostConnection(t *testing.T) {
	v, direct, through := pair(t, nats.Config{})
	send(t, producer(t, direct, "orders"), queue.OK, numbered(0, 50)...)
	k := consumer(t, through, "orders", "g")
	ds := receive(t, k, 50)
	v.close()
	result := make(chan []error, 1)
	go func() { result <- k.Settle(t.Context(), queue.Ack(), ds) }()
	eventually(t, 5*time.Second, "the acks have arrived", func() bool {
		d, err := direct.Depth(t.Context(), "orders", "g")
		return err == nil && d.Total() == 0
	})
	v.cut()
	v.open()
	for i, err := range <-result {
		if err != nil {
			t.Errorf("settle %d: %v", i, err)
		}
	}
}

func TestForeignReceipt(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1))})
	k := consumer(t, c, "orders", "g")
	errs := k.Settle(t.Context(), queue.Ack(), []queue.Delivery{{Receipt: "somebody's"}})
	if len(errs) != 1 || queue.OutcomeOf(errs[0]) != queue.Failed {
		t.Errorf("%v", errs)
	}
}

// TestLostConsumerAndStream: what the server has lost is made again, and the log says so.
func TestLostConsumerAndStream(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	var log lines
	c := connect(t, nats.Config{Servers: addresses(s), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	p, k := producer(t, c, "orders"), consumer(t, c, "orders", "g")
	send(t, p, queue.OK, numbered(0, 1)...)
	settle(t, k, queue.Ack(), receive(t, k, 1))
	nc, err := natsgo.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteConsumer(t.Context(), nats.StreamName("orders"), nats.ConsumerName("g")); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, k, 1); got[0].ID != "m0" || got[0].Attempt != 1 {
		t.Errorf("after the consumer was lost: %+v", got[0])
	}
	if !strings.Contains(log.String(), "lost the consumer") {
		t.Errorf("the log does not say it:\n%s", log.String())
	}
	if err := js.DeleteStream(t.Context(), nats.StreamName("orders")); err != nil {
		t.Fatal(err)
	}
	r := send(t, p, queue.Failed, numbered(1, 1)...)[0]
	if !strings.Contains(r.Err.Error(), "503") {
		t.Error(r.Err)
	}
	eventually(t, 10*time.Second, "a send", func() bool { return queue.Send(t.Context(), p, numbered(1, 1)...)[0].Err == nil })
	// A send can get through before the one who made the stream again has heard of it, and says so.
	eventually(t, 10*time.Second, "a line of the lost stream in the log", func() bool { return strings.Contains(log.String(), "lost the stream") })
	if got := receive(t, k, 1); got[0].ID != "m1" {
		t.Errorf("after the stream was lost: %+v", got[0])
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestProducerCloseWithoutAnswers(t *testing.T) {
	v, _, through := pair(t, nats.Config{SendTimeout: time.Minute})
	p := producer(t, through, "orders")
	v.close()
	var o outcomes
	p.Produce(t.Context(), numbered(0, 3), o.done)
	if err := p.Close(within(t, 100*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v", err)
	}
	if o.count() != 3 {
		t.Errorf("%d results of 3 after Close", o.count())
	}
	o.all(t, queue.Unknown, "session was closed")
	v.open()
}

// TestSilentServerIsLeft: a server that accepts and answers nothing, like a stopped process, is left for another address.
func TestSilentServerIsLeft(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	a, b := newValve(t, s.Addr().String()), newValve(t, s.Addr().String())
	c := connect(t, nats.Config{Servers: []string{a.address(), b.address()}, SendTimeout: time.Minute})
	p, k := producer(t, c, "orders"), consumer(t, c, "orders", "g")
	silent := a
	if b.connected() {
		silent = b
	}
	silent.close()
	start := time.Now()
	r := queue.Send(t.Context(), p, queue.Message{ID: "x"})[0]
	if took := time.Since(start); queue.OutcomeOf(r.Err) != queue.Unknown || took > 5*time.Second {
		t.Errorf("after %s: %+v", took, r)
	} else {
		t.Logf("left after %s", took.Round(time.Millisecond))
	}
	if r := send(t, p, queue.OK, queue.Message{ID: "x"})[0]; !r.Duplicate {
		t.Errorf("retry: %+v", r)
	}
	settle(t, k, queue.Ack(), receive(t, k, 1))
	silent.open()
}
