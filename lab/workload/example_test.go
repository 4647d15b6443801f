package workload_test

import (
	"context"
	"fmt"
	"time"

	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue/memory"
)

func ExampleStart() {
	ctx := context.Background()
	w, err := workload.Start(ctx, workload.Config{
		Queue: memory.New(memory.Config{}), Start: time.Now(),
		Producers: 2, Consumers: 2, Rate: 1000, Size: 128, Keys: 8,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-time.After(100 * time.Millisecond)
	if err := w.StopProducers(ctx); err != nil {
		fmt.Println(err)
	}
	drained := w.Drain(ctx, 10*time.Second)
	if err := w.Close(ctx); err != nil {
		fmt.Println(err)
	}
	s := w.Stats()
	fmt.Println("drained:", drained.Proven)
	fmt.Println("every message has its outcome:", s.Offered == s.Acked+s.Failed+s.InDoubt)
	fmt.Println("acked and not processed:", s.Lag)
	// Output:
	// drained: true
	// every message has its outcome: true
	// acked and not processed: 0
}
