package nats_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// run starts one server with JetStream in dir, on port (-1: a free one).
func run(t testing.TB, dir string, port int, change ...func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{ServerName: "n0", Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true}
	for _, f := range change {
		f(o)
	}
	return start(t, o)
}

func start(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stop(s) })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatalf("server %s is not ready", o.ServerName)
	}
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func port(s *server.Server) int { return s.Addr().(*net.TCPAddr).Port }

// cluster starts three servers that form one cluster, and waits for its leader.
func cluster(t testing.TB) []*server.Server {
	t.Helper()
	var routes []*url.URL
	var ports []int
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p := l.Addr().(*net.TCPAddr).Port
		l.Close()
		ports = append(ports, p)
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", p)})
	}
	var all []*server.Server
	for i := range 3 {
		o := &server.Options{ServerName: fmt.Sprintf("n%d", i+1), Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(),
			NoSigs: true, NoLog: true, Routes: routes,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: ports[i]}}
		s, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { stop(s) })
		all = append(all, s)
	}
	eventually(t, 30*time.Second, "a meta leader and three peers", func() bool {
		for _, s := range all {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == 3 {
				return true
			}
		}
		return false
	})
	return all
}

// eventually polls until what is true.
func eventually(t testing.TB, within time.Duration, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

func addresses(servers ...*server.Server) []string {
	var out []string
	for _, s := range servers {
		out = append(out, s.Addr().String())
	}
	return out
}

func connect(t testing.TB, cfg nats.Config) *nats.Conn {
	t.Helper()
	c, err := nats.Open(within(t, 10*time.Second), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func producer(t testing.TB, c queue.Queue, topic string) queue.Producer {
	t.Helper()
	p, err := c.Producer(within(t, 30*time.Second), topic)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func consumer(t testing.TB, c queue.Queue, topic, group string) queue.Consumer {
	t.Helper()
	k, err := c.Consumer(within(t, 30*time.Second), topic, group)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// receive collects n deliveries.
func receive(t testing.TB, k queue.Consumer, n int) []queue.Delivery {
	t.Helper()
	var out []queue.Delivery
	for len(out) < n {
		ds, err := k.Receive(within(t, 20*time.Second), n-len(out))
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(out), n, err)
		}
		out = append(out, ds...)
	}
	return out
}

func settle(t testing.TB, k queue.Consumer, how queue.Settlement, ds []queue.Delivery) {
	t.Helper()
	for _, err := range k.Settle(within(t, 10*time.Second), how, ds) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// send sends and wants every outcome to be want.
func send(t testing.TB, p queue.Producer, want queue.Outcome, ms ...queue.Message) []queue.Result {
	t.Helper()
	rs := queue.Send(within(t, 20*time.Second), p, ms...)
	for i, r := range rs {
		if queue.OutcomeOf(r.Err) != want {
			t.Fatalf("message %d: %s (%v), want %s", i, queue.OutcomeOf(r.Err), r.Err, want)
		}
	}
	return rs
}

func numbered(from, n int) []queue.Message {
	ms := make([]queue.Message, n)
	for i := range ms {
		ms[i] = queue.Message{ID: fmt.Sprintf("m%d", from+i), Body: fmt.Appendf(nil, "body %d", from+i)}
	}
	return ms
}

func bodies(ds []queue.Delivery) string {
	var all []string
	for _, d := range ds {
		all = append(all, string(d.Body))
	}
	return strings.Join(all, " ")
}
