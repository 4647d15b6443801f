package havoq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// The whole library in one test: wrap a queue, use it as your service does, and let the oracle judge what was recorded.
func Example() {
	dir, err := os.MkdirTemp("", "havoq-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "history.havoq")
	recorder, err := history.Create(file, history.Header{Run: 1, Name: "example", Start: time.Now()})
	if err != nil {
		log.Fatal(err)
	}

	yourQueue := memory.New(memory.Config{})
	q := queue.Wrap(yourQueue, history.Hooks(history.Config{Recorder: recorder, Run: 1, Start: recorder.Start()}))
	serve(q, recorder)
	if err := recorder.Close(); err != nil {
		log.Fatal(err)
	}

	reader, err := history.Open(file)
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()
	result := oracle.JudgeAll(oracle.Contract{Delivery: oracle.AtLeastOnce}, reader.Events)
	if err := reader.Err(); err != nil { // the history goes on, and could not be read: nothing was judged
		log.Fatal(err)
	}
	fmt.Println(result.Verdict, result.Counts.Acked, "acked,", result.Counts.Processed, "processed,", result.Counts.Lost, "lost")
	fmt.Println(result.Reasons)
	// Output:
	// fail 3 acked, 2 processed, 1 lost
	// [lost == 0: found 1 (1 tail; 1 unexplained)]
}

// serve is a service with a bug: it acks its last message without doing the work.
func serve(q queue.Queue, recorder history.Recorder) {
	ctx := context.Background()
	producer, err := q.Producer(ctx, "orders")
	if err != nil {
		log.Fatal(err)
	}
	consumer, err := q.Consumer(ctx, "orders", "billing")
	if err != nil {
		log.Fatal(err)
	}
	for _, sent := range queue.Send(ctx, producer, queue.Message{ID: "a"}, queue.Message{ID: "b"}, queue.Message{ID: "c"}) {
		if sent.Err != nil {
			log.Fatal(sent.Err)
		}
	}
	for d, err := range queue.Deliveries(ctx, consumer) {
		if err != nil {
			log.Fatal(err)
		}
		if d.ID != "c" {
			recorder.Record(history.ProcessedEvent(&d, "billing-1", 1)) // the work is done
		}
		if errs := consumer.Settle(ctx, queue.Ack(), []queue.Delivery{d}); errs != nil {
			log.Fatal(errs)
		}
		if d.ID == "c" {
			break
		}
	}
	recorder.Record(history.Event{Kind: history.Drain, Group: "billing", Outcome: queue.OK})
	recorder.Record(history.Event{Kind: history.End})
	if err := errors.Join(consumer.Close(ctx), producer.Close(ctx), q.Close(ctx)); err != nil {
		log.Fatal(err)
	}
}
