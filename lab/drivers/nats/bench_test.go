package nats_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const benchBody = 512

// BenchmarkAgainstBare sends b.N messages of 512 bytes through the driver and through bare nats.go, in turns on the same
// server, and reports the driver's speed as a ratio of the bare client's: PublishAsync for sending, Fetch and Ack for receiving,
// and Fetch with pipelined double acks, which is what the driver's confirmed acks are.
func BenchmarkAgainstBare(b *testing.B) {
	s := run(b, b.TempDir(), -1)
	nc, err := natsgo.Connect(s.ClientURL())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1024))
	if err != nil {
		b.Fatal(err)
	}
	c := connect(b, nats.Config{Servers: addresses(s), Storage: "memory"})
	const rounds = 5
	n := max(b.N/rounds, 2000)
	var ours, bare, receive, fetch, double time.Duration
	b.ResetTimer()
	for round := range rounds {
		topic := fmt.Sprintf("bench%d", round)
		p := producer(b, c, topic)
		send := func() { ours += timed(func() { benchSend(b, p, n) }) }
		publish := func() { bare += timed(func() { barePublish(b, js, nats.SubjectName(topic), n) }) }
		if round%2 == 0 {
			send()
			publish()
		} else {
			publish()
			send()
		}
		k := consumer(b, c, topic, "ours")
		receive += timed(func() { benchReceive(b, k, 2*n) })
		fetch += timed(func() { bareFetch(b, js, nats.StreamName(topic), "bare", 2*n, func(m jetstream.Msg) { _ = m.Ack() }) })
		double += timed(func() { bareDouble(b, nc, js, nats.StreamName(topic), 2*n) })
		if err := js.DeleteStream(b.Context(), nats.StreamName(topic)); err != nil {
			b.Fatal(err)
		}
	}
	rate := func(n int, d time.Duration) float64 { return float64(n*rounds) / d.Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(n, ours), "send/s")
	b.ReportMetric(rate(n, ours)/rate(n, bare), "send/PublishAsync")
	b.ReportMetric(rate(2*n, receive), "receive+ack/s")
	b.ReportMetric(rate(2*n, receive)/rate(2*n, fetch), "receive/Fetch+Ack")
	b.ReportMetric(rate(2*n, receive)/rate(2*n, double), "receive/Fetch+DoubleAck")
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func benchSend(b *testing.B, p queue.Producer, n int) {
	body := make([]byte, benchBody)
	batch := make([]queue.Message, 100)
	var pending sync.WaitGroup
	for from := 0; from < n; from += len(batch) {
		for i := range batch {
			batch[i] = queue.Message{ID: fmt.Sprintf("o%d", from+i), Body: body}
		}
		pending.Add(len(batch))
		p.Produce(b.Context(), batch, func(_ int, r queue.Result) {
			if r.Err != nil {
				b.Error(r.Err)
			}
			pending.Done()
		})
	}
	pending.Wait()
}

func barePublish(b *testing.B, js jetstream.JetStream, subject string, n int) {
	body := make([]byte, benchBody)
	for i := range n {
		if _, err := js.PublishAsync(subject, body, jetstream.WithMsgID(fmt.Sprintf("b%d", i)), jetstream.WithStallWait(10*time.Second)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}

func benchReceive(b *testing.B, k queue.Consumer, n int) {
	for got := 0; got < n; {
		ds, err := k.Receive(b.Context(), 256)
		if err != nil {
			b.Fatal(err)
		}
		got += len(ds)
		for _, err := range k.Settle(b.Context(), queue.Ack(), ds) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func bareFetch(b *testing.B, js jetstream.JetStream, stream, name string, n int, ack func(jetstream.Msg)) {
	k, err := js.CreateConsumer(b.Context(), stream, jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1 << 16})
	if err != nil {
		b.Fatal(err)
	}
	for got := 0; got < n; {
		batch, err := k.Fetch(256, jetstream.FetchMaxWait(time.Second))
		if err != nil {
			b.Fatal(err)
		}
		for m := range batch.Messages() {
			ack(m)
			got++
		}
	}
}

// bareDouble acks each fetched batch with replies, all at once, and waits for them.
func bareDouble(b *testing.B, nc *natsgo.Conn, js jetstream.JetStream, stream string, n int) {
	inbox := nc.NewInbox()
	replies := make(chan *natsgo.Msg, 4096)
	sub, err := nc.ChanSubscribe(inbox, replies)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	sent := 0
	bareFetch(b, js, stream, "double", n, func(m jetstream.Msg) {
		if err := nc.PublishRequest(m.Reply(), inbox, []byte("+ACK")); err != nil {
			b.Fatal(err)
		}
		if sent++; sent%256 == 0 {
			for range 256 {
				<-replies
			}
		}
	})
	for range sent % 256 {
		<-replies
	}
}
