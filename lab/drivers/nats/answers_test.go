package nats

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
)

// TestResultOf is the table of what each answer to a publish proves.
func TestResultOf(t *testing.T) {
	apiError := func(code, errCode int, text string) string {
		return fmt.Sprintf(`{"error":{"code":%d,"err_code":%d,"description":%q},"stream":"S","seq":0}`, code, errCode, text)
	}
	status := natsgo.Header{"Status": {"503"}}
	for _, c := range []struct {
		name   string
		data   string
		header natsgo.Header
		want   queue.Outcome
	}{
		{"ack", `{"stream":"S","seq":7}`, nil, queue.OK},
		{"ack of a domain", `{"stream":"S","domain":"d","seq":7}`, nil, queue.OK},
		{"duplicate", `{"stream":"S","seq":7,"duplicate": true}`, nil, queue.OK},
		{"no responders", "", status, queue.Failed},
		{"full", apiError(503, 10077, "maximum messages exceeded"), nil, queue.Failed},
		{"full by bytes", apiError(503, 10077, "maximum bytes exceeded"), nil, queue.Failed},
		{"full by subject", apiError(503, 10077, "maximum messages per subject exceeded"), nil, queue.Failed},
		{"another failure of the store", apiError(503, 10077, "no space left on device"), nil, queue.Unknown},
		{"too large", apiError(400, 10054, "message size exceeds maximum allowed"), nil, queue.Failed},
		{"headers too large", apiError(400, 10097, "header size exceeds maximum allowed of 64k"), nil, queue.Failed},
		{"sealed", apiError(400, 10109, "invalid operation on sealed stream"), nil, queue.Failed},
		{"too many requests", apiError(429, 10167, "too many requests"), nil, queue.Failed},
		{"resources", apiError(503, 10023, "insufficient resources"), nil, queue.Unknown},
		{"in process", apiError(409, 10158, "duplicate message id is in process"), nil, queue.Unknown},
		{"not available", apiError(503, 10008, "JetStream system temporarily unavailable"), nil, queue.Unknown},
		{"new error", apiError(500, 19999, "?"), nil, queue.Unknown},
		{"nothing", "", nil, queue.Unknown},
		{"no sequence", `{"stream":"S"}`, nil, queue.Unknown},
		{"garbage", "+OK", nil, queue.Unknown},
		{"503 with a body", `{`, status, queue.Unknown},
	} {
		r := resultOf(&natsgo.Msg{Data: []byte(c.data), Header: c.header}, func(cause, outcome error) error {
			return fmt.Errorf("%w: %w", cause, outcome)
		})
		if queue.OutcomeOf(r.Err) != c.want || (r.Err == nil) != (r.Offset == 7) || r.Duplicate != (c.name == "duplicate") {
			t.Errorf("%s: %+v, want %s", c.name, r, c.want)
		}
		if c.want == queue.Unknown && !errors.Is(r.Err, queue.ErrUnconfirmed) {
			t.Errorf("%s: %v is not ErrUnconfirmed", c.name, r.Err)
		}
	}
}

func TestQuickAck(t *testing.T) {
	prefix := ackPrefix("S")
	for text, want := range map[string]int64{
		`{"stream":"S","seq":7}`:                       7,
		`{"stream":"S","seq":1234567890123}`:           1234567890123,
		`{"stream":"S","seq":0}`:                       0,
		`{"stream":"S","seq":}`:                        0,
		`{"stream":"S","seq":7,"duplicate": true}`:     0,
		`{"stream":"SS","seq":7}`:                      0,
		`{"stream":"S","seq":99999999999999999999999}`: 0,
		`{"error":{"code":503},"stream":"S","seq":7}`:  0,
		``: 0,
	} {
		got, ok := quickAck(prefix, []byte(text))
		if ok != (want > 0) || ok && got != want {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
}

func TestParseAck(t *testing.T) {
	for subject, want := range map[string]ackMeta{
		"$JS.ACK.S.g.2.30.31.1700000000000000000.5":             {attempt: 2, seq: 30, stored: time.Unix(1700000000, 0)},
		"$JS.ACK.dom.acc.S.g.2.30.31.1700000000000000000.5":     {attempt: 2, seq: 30, stored: time.Unix(1700000000, 0)},
		"$JS.ACK.dom.acc.S.g.2.30.31.1700000000000000000.5.rnd": {attempt: 2, seq: 30, stored: time.Unix(1700000000, 0)},
		"$JS.ACK.S.g.2.30.31":                                   {},
		"$JS.ACK.S.g.x.30.31.1700000000000000000.5":             {},
		"_INBOX.a.b.c.d.e.f.g.h.i":                              {},
		"":                                                      {},
	} {
		got, err := parseAck(subject)
		if (err == nil) != (want.seq > 0) || err == nil && got != want {
			t.Errorf("%s: %+v, %v", subject, got, err)
		}
	}
}

// pulled is a puller with n messages on their way, and no connection.
func pulled(n int, now time.Time) *puller {
	return &puller{prefix: "_INBOX.x.", in: make(chan *natsgo.Msg, 16), credit: n, last: 3, first: 3, heard: now}
}

func TestPullRequests(t *testing.T) {
	start := time.Unix(1000, 0)
	at := start.Add(time.Second)
	status := func(code, description, missing string) *natsgo.Msg {
		h := natsgo.Header{"Status": {code}, "Description": {description}}
		if missing != "" {
			h["Nats-Pending-Messages"] = []string{missing}
		}
		return &natsgo.Msg{Subject: "_INBOX.x.3", Header: h}
	}
	old := status("408", "Request Timeout", "10")
	old.Subject = "_INBOX.x.2"
	for _, c := range []struct {
		name   string
		m      *natsgo.Msg
		credit int
		ready  int
		heard  bool
		wait   time.Duration // from at; negative: none
		gone   bool
	}{
		{"message", &natsgo.Msg{Reply: "$JS.ACK.x", Header: natsgo.Header{"Status": {"503"}}}, 9, 1, true, -1, false},
		{"heartbeat", status("100", "Idle Heartbeat", ""), 10, 0, true, -1, false},
		{"expired", status("408", "Request Timeout", "4"), 6, 0, true, -1, false},
		{"expired, of a request that was given up", old, 10, 0, false, -1, false},
		{"new leader", status("409", "Leadership Change", ""), 0, 0, true, 0, false},
		{"deleted", status("409", "Consumer Deleted", ""), 0, 0, true, 0, true},
		{"nobody", status("503", "", ""), 0, 0, true, pullPace, false},
		{"bad request", status("400", "Bad Request", ""), 0, 0, true, time.Second, false},
	} {
		p := pulled(10, start)
		p.take(c.m, at)
		if p.credit != c.credit || len(p.ready) != c.ready || p.heard.Equal(at) != c.heard || p.gone != c.gone {
			t.Errorf("%s: credit %d, ready %d, heard %v, gone %v", c.name, p.credit, len(p.ready), p.heard, p.gone)
		}
		if c.wait >= 0 && !p.wait.Equal(at.Add(c.wait)) || c.wait < 0 && !p.wait.IsZero() {
			t.Errorf("%s: next request at %v", c.name, p.wait)
		}
	}
}

// TestSilentLeader: without a sign for 1.2 s, the request is given up; with one, it is not.
func TestSilentLeader(t *testing.T) {
	start := time.Unix(1000, 0)
	p := pulled(10, start)
	if due := p.next().Sub(start); due != silence || silence > 1500*time.Millisecond {
		t.Errorf("the leader is given up after %s", due)
	}
	p.tick(start.Add(silence - 1))
	if p.credit != 10 {
		t.Error("given up too early")
	}
	p.tick(start.Add(silence))
	if p.credit != 0 || p.first != 4 || p.next().After(start.Add(silence)) {
		t.Errorf("not given up: %+v", p)
	}
}
