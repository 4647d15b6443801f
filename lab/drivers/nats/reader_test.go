package nats_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
)

// own connects as an application does that knows nothing of havoq.
func own(t *testing.T, servers []string) jetstream.JetStream {
	t.Helper()
	nc, err := natsgo.Connect("nats://"+strings.Join(servers, ",nats://"), natsgo.MaxReconnects(-1), natsgo.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func stream(t *testing.T, js jetstream.JetStream, cfg jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	var s jetstream.Stream
	eventually(t, 30*time.Second, "the stream "+cfg.Name, func() (made bool) {
		var err error
		s, err = js.CreateStream(within(t, 5*time.Second), cfg)
		return err == nil
	})
	return s
}

func publish(t *testing.T, js jetstream.JetStream, subject, body string) {
	t.Helper()
	msg := &natsgo.Msg{Subject: subject, Data: []byte(body), Header: natsgo.Header{"order-id": {"o-" + body}}}
	eventually(t, 30*time.Second, "a publish", func() bool {
		_, err := js.PublishMsg(within(t, 2*time.Second), msg, jetstream.WithMsgID(subject+body))
		return err == nil
	})
}

func reader(t *testing.T, c *nats.Conn, topic string) queue.Reader {
	t.Helper()
	r, err := c.Reader(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readAll reads until n messages are there.
func readAll(t *testing.T, r queue.Reader, n int) (bodies []string) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	for len(bodies) < n {
		ds, err := r.Receive(ctx, 100)
		if err != nil && ctx.Err() != nil {
			t.Fatalf("read %d of %d: %v", len(bodies), n, err)
		}
		for _, d := range ds {
			bodies = append(bodies, string(d.Body))
		}
	}
	return bodies
}

func TestReaderTakesNoPartInTheWork(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	js := own(t, addresses(s))
	str := stream(t, js, jetstream.StreamConfig{Name: "SHOP", Subjects: []string{"orders", "returns"}})
	work, err := str.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "billing", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, nats.Config{Servers: addresses(s)})
	r := reader(t, c, "orders")
	if first, last, err := r.Bounds(t.Context()); err != nil || first != 1 || last != 0 {
		t.Fatalf("bounds of an empty topic: %d to %d, %v", first, last, err)
	}
	var want []string
	for i := range 250 {
		publish(t, js, "orders", fmt.Sprint(i))
		publish(t, js, "returns", fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	if _, last, err := r.Bounds(t.Context()); err != nil || last != 499 {
		t.Errorf("the last is %d, %v", last, err)
	}
	if got := readAll(t, r, 250); !slices.Equal(got, want) {
		t.Errorf("read %q", got)
	}
	if left, err := r.Unfinished(t.Context(), "billing", 499); err != nil || left != 250 {
		t.Errorf("the group has %d left, %v", left, err)
	}
	for i := range 250 { // the work is all there
		m, err := work.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left, err := r.Unfinished(t.Context(), "billing", 99); i == 49 && (err != nil || left != 0) { // sequence 99 is the fiftieth order
			t.Errorf("up to 99 the group has %d left, %v", left, err)
		}
	}
	if left, err := r.Unfinished(t.Context(), "billing", 499); err != nil || left != 0 {
		t.Errorf("the group has %d left, %v", left, err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := str.Info(t.Context())
	if err != nil || info.State.Consumers != 1 {
		t.Errorf("%d consumers are left, %v", info.State.Consumers, err)
	}
	if err := errors.Join(r.Close(t.Context()), r.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestReaderTellsWhatItReads(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	js := own(t, addresses(s))
	c := connect(t, nats.Config{Servers: addresses(s)})
	r := reader(t, c, "eu.orders")
	defer r.Close(t.Context())
	if _, _, err := r.Bounds(t.Context()); !errors.Is(err, queue.ErrNoTopic) {
		t.Errorf("bounds without a stream: %v", err)
	}
	if _, err := r.Receive(t.Context(), 1); !errors.Is(err, queue.ErrNoTopic) || !strings.Contains(err.Error(), `"eu.orders"`) {
		t.Errorf("receive without a stream: %v", err)
	}
	stream(t, js, jetstream.StreamConfig{Name: "EU", Subjects: []string{"eu.*"}})
	publish(t, js, "eu.orders", "a")
	publish(t, js, "eu.orders", "b")
	r.StartAt(2)
	ds, err := r.Receive(within(t, 10*time.Second), 10)
	if err != nil || len(ds) != 1 {
		t.Fatalf("received %v, %v", ds, err)
	}
	d := ds[0]
	id, _ := d.Header("order-id")
	if string(d.Body) != "b" || d.ID != "eu.ordersb" || id != "o-b" || d.Offset != 2 || d.Topic != "eu.orders" || time.Since(d.Timestamp) > time.Minute {
		t.Errorf("received %+v", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Receive(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	other := reader(t, c, "eu.orders")
	defer other.Close(t.Context())
	if ds, err := other.Receive(within(t, 10*time.Second), 1); err != nil || len(ds) != 1 {
		t.Fatalf("received %v, %v", ds, err)
	}
	// Readers are no groups, and none is offered.
	if _, err := r.Unfinished(t.Context(), "biling", 2); err == nil || !strings.Contains(err.Error(), `no consumer "biling": it has none`) {
		t.Errorf("a group that is not there: %v", err)
	}
}

func TestReaderSaysWhatItMissed(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	js := own(t, addresses(s))
	stream(t, js, jetstream.StreamConfig{Name: "orders", Subjects: []string{"orders"}, MaxMsgs: 5})
	for i := range 12 {
		publish(t, js, "orders", fmt.Sprint(i))
	}
	r := reader(t, connect(t, nats.Config{Servers: addresses(s)}), "orders")
	defer r.Close(t.Context())
	r.StartAt(3)
	if got := readAll(t, r, 5); !slices.Equal(got, []string{"7", "8", "9", "10", "11"}) || r.Missed() != 5 {
		t.Errorf("read %q, missed %d", got, r.Missed())
	}
	if first, last, err := r.Bounds(t.Context()); first != 8 || last != 12 || err != nil {
		t.Errorf("bounds %d to %d, %v", first, last, err)
	}
}

// The server says nothing of messages that are gone before they are asked for.
func TestReaderSaysWhatItMissedOnTheWay(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	js := own(t, addresses(s))
	str := stream(t, js, jetstream.StreamConfig{Name: "orders", Subjects: []string{"orders"}})
	publish(t, js, "orders", "0")
	r := reader(t, connect(t, nats.Config{Servers: addresses(s)}), "orders")
	defer r.Close(t.Context())
	if got := readAll(t, r, 1); !slices.Equal(got, []string{"0"}) || r.Missed() != 0 {
		t.Fatalf("read %q, missed %d", got, r.Missed())
	}
	for i := range 9 {
		publish(t, js, "orders", fmt.Sprint(i+1))
	}
	if err := str.Purge(t.Context(), jetstream.WithPurgeSequence(6)); err != nil {
		t.Fatal(err)
	}
	if err := str.DeleteMsg(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, r, 4); !slices.Equal(got, []string{"5", "6", "8", "9"}) || r.Missed() != 5 {
		t.Errorf("read %q, missed %d", got, r.Missed())
	}
}

// A stream that is deleted and made again begins at 1, and the reader with it.
func TestReaderOfAStreamThatIsMadeAnew(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	js := own(t, addresses(s))
	cfg := jetstream.StreamConfig{Name: "orders", Subjects: []string{"orders"}}
	stream(t, js, cfg)
	publish(t, js, "orders", "a")
	publish(t, js, "orders", "b")
	r := reader(t, connect(t, nats.Config{Servers: addresses(s)}), "orders")
	defer r.Close(t.Context())
	if got := readAll(t, r, 2); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("read %q", got)
	}
	if err := js.DeleteStream(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	stream(t, js, cfg)
	publish(t, js, "orders", "c")
	if got := readAll(t, r, 1); !slices.Equal(got, []string{"c"}) || r.Missed() == 0 {
		t.Errorf("read %q, missed %d", got, r.Missed())
	}
}

func TestReaderRefusesWhatItWouldTakeAway(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	js := own(t, addresses(s))
	for policy, word := range map[jetstream.RetentionPolicy]string{jetstream.WorkQueuePolicy: "workqueue", jetstream.InterestPolicy: "interest"} {
		stream(t, js, jetstream.StreamConfig{Name: word, Subjects: []string{word}, Retention: policy})
		r := reader(t, connect(t, nats.Config{Servers: addresses(s)}), word)
		if _, _, err := r.Bounds(t.Context()); !errors.Is(err, queue.ErrRefused) || !strings.Contains(err.Error(), word+" retention") {
			t.Errorf("%s: %v", word, err)
		}
	}
	if _, err := connect(t, nats.Config{Servers: addresses(s)}).Reader(t.Context(), ""); err == nil {
		t.Error("a topic without a name is accepted")
	}
}

// The reader's consumer lives on one server. Whichever is stopped, each message is read once and in order.
func TestReaderOutlivesServers(t *testing.T) {
	servers := cluster(t)
	js := own(t, addresses(servers...))
	stream(t, js, jetstream.StreamConfig{Name: "orders", Subjects: []string{"orders"}, Replicas: 3})
	c := connect(t, nats.Config{Servers: addresses(servers...)})
	r := reader(t, c, "orders")
	defer r.Close(t.Context())
	var want, got []string
	for round, s := range servers[:2] {
		for i := range 50 {
			body := fmt.Sprintf("%d-%d", round, i)
			publish(t, js, "orders", body)
			want = append(want, body)
		}
		got = append(got, readAll(t, r, 50)...)
		if round == 0 {
			stop(s)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %q", got)
	}
}
