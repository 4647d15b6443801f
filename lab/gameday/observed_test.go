package gameday_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// somebodysBroker is a broker that is there already, with an application that runs by itself in this process: it answers each
// order with an invoice.
type somebodysBroker struct {
	t     *testing.T
	url   string
	conn  *nats.Conn
	shop  queue.Producer
	serve chan struct{} // closed when the application has ended
	told  []string      // "drained drained in 2s: …"
}

func newSomebodysBroker(t *testing.T, options string) *somebodysBroker {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the broker is not ready")
	}
	b := &somebodysBroker{t: t, url: s.ClientURL(), serve: make(chan struct{})}
	if b.conn, err = nats.OpenURL(t.Context(), b.url+options); err != nil {
		t.Fatal(err)
	}
	if b.shop, err = b.conn.Producer(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	work, err := b.conn.Consumer(t.Context(), "orders", "billing")
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.conn.Producer(t.Context(), "invoices")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(b.serve)
		for d, err := range queue.Deliveries(ctx, work) {
			if err != nil {
				return
			}
			queue.Send(ctx, out, queue.Message{Headers: d.Headers, Body: d.Body})
			work.Settle(ctx, queue.Ack(), []queue.Delivery{d})
		}
	}()
	t.Cleanup(func() {
		stop()
		<-b.serve
		if err := b.conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// send sends orders with these IDs; an empty one has none.
func (b *somebodysBroker) send(ids ...string) {
	var messages []queue.Message
	for _, id := range ids {
		m := queue.Message{Body: []byte("an order")}
		if id != "" {
			m.Headers = []queue.Header{{Key: "order-id", Value: id}}
		}
		messages = append(messages, m)
	}
	for _, r := range queue.Send(b.t.Context(), b.shop, messages...) {
		if r.Err != nil {
			b.t.Error(r.Err)
		}
	}
}

// observed runs a Game Day on it; load sends while the baseline lasts.
func (b *somebodysBroker) observed(load func()) (*result.Result, error) {
	b.t.Helper()
	s, err := scenario.Parse("own.yaml", []byte(fmt.Sprintf(`scenario: own
target: { url: %q }
workload: external
observe: { id: header.order-id, input: orders, output: invoices, group: billing, grace: 300ms }
contract: { delivery: at-least-once }
phases: [ { baseline: 1s } ]
`, b.url)), scenario.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	res, _, err := gameday.Run(b.t.Context(), gameday.Config{
		Scenario: s, Out: b.t.TempDir(),
		Open: func(ctx context.Context, url string, log *slog.Logger) (queue.Queue, error) {
			return nats.Open(ctx, nats.Config{URL: url, Logger: log})
		},
		Progress: func(p gameday.Progress) {
			if p.Kind != gameday.Tick {
				b.told = append(b.told, string(p.Kind)+" "+p.Text)
			}
			if p.Kind == gameday.PhaseOn {
				load()
			}
		},
	})
	return res, err
}

func ids(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("o-%d", i))
	}
	return all
}

func expectReason(t *testing.T, res *result.Result, parts ...string) {
	t.Helper()
	for _, why := range res.Reasons {
		missing := false
		for _, p := range parts {
			missing = missing || !strings.Contains(why, p)
		}
		if !missing {
			return
		}
	}
	t.Errorf("no reason says %q: %q", parts, res.Reasons)
}

// What was in somebody's topics before is not judged, and nothing stays behind there.
func TestSomebodysApplication(t *testing.T) {
	b := newSomebodysBroker(t, "")
	b.send("old-1", "old-2")
	res, err := b.observed(func() { b.send(ids(50)...) })
	if err != nil {
		t.Fatal(err)
	}
	if c := res.Counts; c.Acked != 50 || c.Processed != 50 || c.Lost != 0 || !res.Drained {
		t.Errorf("counts %+v; drains %+v; reasons %q", c, res.Drains, res.Reasons)
	}
	if res.Verdict != oracle.Pass {
		t.Errorf("verdict %s %q", res.Verdict, res.Reasons)
	}
	if n := res.Anomalies[oracle.Unexpected].Total; n != 0 {
		t.Errorf("%d unexpected", n)
	}
}

func TestOrdersThatCannotBeToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		orders []string
		parts  []string
	}{
		"without an ID": {append(ids(10), "", "", ""), []string{`"header.order-id"`, "no ID for 3 messages", `topic "orders"`, "position 11", "observe.input.id"}},
		"of one ID":     {append(ids(10), "o-3", "o-4"), []string{`"header.order-id"`, "2 messages", `topic "orders"`, "position 11", "apart"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSomebodysBroker(t, "")
			res, err := b.observed(func() { b.send(c.orders...) })
			if err != nil {
				t.Fatal(err)
			}
			if res.Verdict != oracle.Unknown {
				t.Errorf("verdict %s %q", res.Verdict, res.Reasons)
			}
			expectReason(t, res, c.parts...)
			if len(res.Sources) != 2 || len(res.Sources[0].Doubts) != 1 {
				t.Errorf("sources %+v", res.Sources)
			}
		})
	}
}

// An application does not end its work because havoq has seen enough.
func TestWhatComesBehindTheEnd(t *testing.T) {
	b := newSomebodysBroker(t, "")
	stop, stopped := make(chan struct{}), make(chan struct{})
	res, err := b.observed(func() {
		go func() {
			defer close(stopped)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-tick.C:
					b.send(fmt.Sprint("o-", i))
				}
			}
		}()
	})
	close(stop)
	<-stopped
	if err != nil || res.Verdict != oracle.Pass {
		t.Errorf("%+v, %v", res, err)
	}
	if told := strings.Join(b.told, "\n"); !strings.Contains(told, " later messages are outside the judgement") {
		t.Errorf("told\n%s", told)
	}
}

func TestNoOrdersAtAll(t *testing.T) {
	res, err := newSomebodysBroker(t, "").observed(func() {})
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != oracle.Unknown {
		t.Errorf("verdict %s", res.Verdict)
	}
	expectReason(t, res, "nothing was sent")
}

func TestATopicThatCannotBeReadBeside(t *testing.T) {
	res, err := newSomebodysBroker(t, "?retention=workqueue").observed(func() {})
	if err == nil || res != nil || !strings.Contains(err.Error(), "workqueue retention") || !strings.Contains(err.Error(), "limits retention") {
		t.Errorf("%v", err)
	}
}
