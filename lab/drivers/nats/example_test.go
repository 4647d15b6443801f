package nats_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
	"github.com/nats-io/nats-server/v2/server"
)

// A message is sent, confirmed, received and acked. The server runs inside the example.
func Example() {
	dir, err := os.MkdirTemp("", "nats-example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	s.Start()
	defer stop(s)
	s.ReadyForConnections(10 * time.Second)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	q, err := nats.OpenURL(ctx, "nats://"+s.Addr().String()+"?ack-timeout=5s&max-msgs=1000")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = q.Close(ctx) }()
	p, err := q.Producer(ctx, "orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := q.Consumer(ctx, "orders", "billing")
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // the second is a retry with the same ID
		r := queue.Send(ctx, p, queue.Message{ID: "o-1", Key: "ann", Body: []byte("one book")})[0]
		fmt.Println(queue.OutcomeOf(r.Err), r.Offset, r.Duplicate)
	}
	ds, err := c.Receive(ctx, 10)
	for _, d := range ds {
		fmt.Println(d.ID, string(d.Body), d.Attempt)
	}
	fmt.Println(len(ds), err, c.Settle(ctx, queue.Ack(), ds))
	// Output:
	// ok 1 false
	// ok 1 true
	// o-1 one book 1
	// 1 <nil> []
}
