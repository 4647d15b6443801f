package nats_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

// TestHeadersArriveAsTheyWereSent sends generated messages through a real server: any bytes, any order, keys that NATS itself
// or the driver gives a meaning.
func TestHeadersArriveAsTheyWereSent(t *testing.T) {
	c := connect(t, nats.Config{Servers: addresses(run(t, t.TempDir(), -1)), Storage: "memory"})
	p, k := producer(t, c, "orders"), consumer(t, c, "orders", "g")
	text := rapid.OneOf(rapid.StringMatching(`[a-cA-C]{1,2}`), rapid.StringMatching("[ -~]{0,6}"), rapid.String(),
		rapid.SampledFrom([]string{"Nats-Msg-Id", "nats-rollup", "Havoq-Key", "Havoq-Order", "Havoq-X-YQ", "Status", "Description",
			"", " x", "x\t", "a,b", "a:b", "=64:YQ", "\r\n", queue.EnvelopeHeader}))
	rapid.Check(t, func(r *rapid.T) {
		m := queue.Message{Key: text.Draw(r, "key"), Body: []byte(text.Draw(r, "body")),
			Timestamp: time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(r, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(r, "nanos"))}
		for range rapid.IntRange(0, 5).Draw(r, "headers") {
			m.Headers = append(m.Headers, queue.Header{Key: text.Draw(r, "header"), Value: text.Draw(r, "value")})
		}
		if res := queue.Send(t.Context(), p, m)[0]; res.Err != nil {
			r.Fatal(res.Err)
		}
		ds, err := k.Receive(t.Context(), 1)
		if err != nil {
			r.Fatal(err)
		}
		k.Settle(t.Context(), queue.Ack(), ds)
		if diff := cmp.Diff(m, ds[0].Message, cmp.Comparer(time.Time.Equal), cmpopts.EquateEmpty()); diff != "" {
			r.Errorf("(-sent +received):\n%s", diff)
		}
	})
}

// TestForeignMessages: what others publish into the stream is delivered, with its headers by key.
func TestForeignMessages(t *testing.T) {
	s := run(t, t.TempDir(), -1)
	c := connect(t, nats.Config{Servers: addresses(s)})
	k := consumer(t, c, "orders", "g")
	nc, err := natsgo.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, h := range []natsgo.Header{nil, {"b": {"1", "2"}, "a": {"3"}, "Nats-Msg-Id": {"x"}},
		{"b": {"1", "2"}, "a": {"3"}, "Havoq-Order": {"b,gone,a,Nats-Msg-Id"}, "Havoq-Time": {"soon"}}} {
		if err := nc.PublishMsg(&natsgo.Msg{Subject: nats.SubjectName("orders"), Header: h, Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	got := receive(t, k, 3)
	want := []queue.Message{
		{Body: []byte("x")},
		{Body: []byte("x"), ID: "x", Headers: []queue.Header{{Key: "a", Value: "3"}, {Key: "b", Value: "1"}, {Key: "b", Value: "2"}}},
		{Body: []byte("x"), Headers: []queue.Header{{Key: "b", Value: "1"}, {Key: "a", Value: "3"}, {Key: "b", Value: "2"}}},
	}
	for i := range want {
		if since := time.Since(got[i].Timestamp); since < 0 || since > time.Minute {
			t.Errorf("message %d: timestamp %v", i, got[i].Timestamp)
		}
		if diff := cmp.Diff(want[i], got[i].Message, cmpopts.IgnoreFields(queue.Message{}, "Timestamp")); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", i, diff)
		}
	}
}
