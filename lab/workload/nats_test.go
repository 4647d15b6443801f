package workload_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
)

// serve starts a real server with JetStream. Port -1 is a free one.
func serve(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

func halt(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// reach waits until the load's counters are as wanted.
func reach(t *testing.T, w *workload.Workload, what string, enough func(workload.Stats) bool) {
	t.Helper()
	for range 3000 {
		if enough(w.Stats()) {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("never %s: %+v", what, w.Stats())
}

// TestRealBroker sends through a real server that goes away and comes back, with a consumer that crashes.
func TestRealBroker(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir, -1)
	port := s.Addr().(*net.TCPAddr).Port
	defer func() { halt(s) }()
	conn, err := nats.OpenURL(t.Context(), fmt.Sprintf("nats://127.0.0.1:%d?ack-timeout=2s", port))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	events := &history.Memory{Start: start}
	q := queue.Wrap(conn, history.Hooks(history.Config{
		Recorder: events, Run: run, Start: start, Stream: func(string) uint16 { return 0 },
	}))
	w, err := workload.Start(t.Context(), workload.Config{
		Queue: q, Recorder: events, Run: run, Start: start, Topic: "orders", Group: "billing",
		Producers: 2, Consumers: 2, Rate: 500, Size: 256, Keys: 32, Work: 5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	reach(t, w, "under way", func(s workload.Stats) bool { return s.Processed > 100 })
	halt(s)
	before := w.Stats()
	reach(t, w, "in trouble", func(s workload.Stats) bool { return s.Scheduled > before.Scheduled+200 })
	s = serve(t, dir, port)
	reach(t, w, "back", func(s workload.Stats) bool { return s.Acked > before.Acked+300 })
	evidence, err := w.Crash(t.Context(), "consumer-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(evidence)
	if _, err := w.Restart(t.Context(), "consumer-1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.StopProducers(ctx); err != nil {
		t.Error(err)
	}
	drained := w.Drain(ctx, 20*time.Second)
	stats := w.Stats()
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := q.Close(ctx); err != nil {
		t.Error(err)
	}
	if !drained.Proven || stats.Lag != 0 || stats.Offered != stats.Acked || stats.Acked <= before.Acked+300 {
		t.Errorf("%s; %+v", drained, stats)
	}
	t.Logf("%s; %+v", drained, stats)
}
