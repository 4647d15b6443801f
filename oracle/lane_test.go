package oracle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// diary makes events by hand, a millisecond apart.
type diary struct {
	events []history.Event
}

func (s *diary) add(e history.Event) *diary {
	e.At = int64(len(s.events)+1) * int64(time.Millisecond)
	s.events = append(s.events, e)
	return s
}

func (s *diary) sent(seq uint64, partition int32, offset int64) *diary {
	id := queue.Identity{Run: 1, Producer: 1, Seq: seq}
	s.add(history.Event{Kind: history.Invoke, Identity: id, Client: "p"})
	return s.add(history.Event{Kind: history.Outcome, Identity: id, Outcome: queue.OK, Partition: partition, Offset: offset, Client: "p"})
}

func (s *diary) got(client string, seq uint64, partition int32, offset int64) *diary {
	id := queue.Identity{Run: 1, Producer: 1, Seq: seq}
	s.add(history.Event{Kind: history.Deliver, Identity: id, Group: "g", Client: client, Partition: partition, Offset: offset, Attempt: 1})
	return s.add(history.Event{Kind: history.Processed, Identity: id, Group: "g", Client: client})
}

func (s *diary) judge(c oracle.Contract) oracle.Result {
	s.add(history.Event{Kind: history.Drain, Group: "g", Outcome: queue.OK})
	s.add(history.Event{Kind: history.End})
	j := oracle.New(oracle.Config{Contract: c})
	for i := range s.events {
		j.Observe(&s.events[i])
	}
	return j.Result()
}

func TestOrderByPartition(t *testing.T) {
	byPartition := oracle.Contract{Order: oracle.OrderPartition}
	tests := []struct {
		name      string
		diary     *diary
		verdict   oracle.Verdict
		reordered int64
	}{
		{"in order", new(diary).sent(0, 0, 1).sent(1, 0, 2).got("c", 0, 0, 1).got("c", 1, 0, 2), oracle.Pass, 0},
		{"overtaken", new(diary).sent(0, 0, 1).sent(1, 0, 2).got("c", 1, 0, 2).got("c", 0, 0, 1), oracle.Fail, 1},
		{"across partitions", new(diary).sent(0, 0, 1).sent(1, 1, 1).sent(2, 1, 2).got("c", 1, 1, 1).got("c", 2, 1, 2).got("c", 0, 0, 1), oracle.Pass, 0},
		{"no pair", new(diary).sent(0, 0, 1).sent(1, 1, 1).got("c", 1, 1, 1).got("c", 0, 0, 1), oracle.Unknown, 0},
		{"before its ack", new(diary).add(history.Event{Kind: history.Invoke, Identity: queue.Identity{Run: 1, Producer: 1}, Client: "p"}).
			got("c", 0, 0, 1).
			add(history.Event{Kind: history.Outcome, Identity: queue.Identity{Run: 1, Producer: 1}, Outcome: queue.OK, Client: "p"}).
			sent(1, 0, 2).got("c", 1, 0, 2), oracle.Pass, 0},
		{"partition not told", new(diary).sent(0, -1, 0).sent(1, -1, 0).got("c", 0, -1, 0).got("c", 1, -1, 0), oracle.Unknown, 0},
	}
	for _, tt := range tests {
		r := tt.diary.judge(byPartition)
		if r.Verdict != tt.verdict || r.Anomalies[oracle.Reordered].Total != tt.reordered {
			t.Errorf("%s: %s %q, %d reordered", tt.name, r.Verdict, r.Reasons, r.Anomalies[oracle.Reordered].Total)
		}
	}
}

func TestPositions(t *testing.T) {
	r := new(diary).sent(0, 0, 10).sent(1, 0, 11).sent(2, 0, 14).sent(3, 1, 5).
		got("a", 1, 0, 11).got("b", 2, 0, 14).got("a", 0, 0, 10).got("a", 3, 1, 5).judge(oracle.Contract{})
	want := []oracle.Position{
		{Group: "g", Partition: 0, First: 10, Last: 14, Skipped: 2, Backward: 1},
		{Group: "g", Partition: 1, First: 5, Last: 5},
	}
	if len(r.Positions) != 2 || r.Positions[0] != want[0] || r.Positions[1] != want[1] {
		t.Errorf("%+v, want %+v", r.Positions, want)
	}
	if r.Verdict != oracle.Pass {
		t.Error(r.Verdict, r.Reasons)
	}
}

// One producer that is cut off is told, though another gets through.
func TestOutageOfOneProducer(t *testing.T) {
	s := new(diary)
	other := func(kind history.Kind) history.Event {
		return history.Event{Kind: kind, Identity: queue.Identity{Run: 1, Producer: 2}, Outcome: map[bool]queue.Outcome{true: queue.OK}[kind == history.Outcome],
			Client: "q"}
	}
	s.add(other(history.Invoke))
	for i := range uint64(1000) {
		s.sent(i, 0, int64(i)+1)
	}
	s.add(other(history.Outcome))
	r := s.judge(oracle.Contract{})
	if len(r.Clients) != 1 || r.Clients[0].Client != "q" || r.Clients[0].Producer != 2 || r.Clients[0].Seconds() < 1.9 {
		t.Errorf("%+v", r.Clients)
	}
	for _, o := range r.Outages {
		if o.Side == "produce" {
			t.Errorf("all together: %+v", o)
		}
	}
}

func TestAllowed(t *testing.T) {
	foreign := history.Event{Kind: history.Deliver, Damage: history.Foreign, Group: "g", Client: "c"}
	judge := func(c oracle.Contract) oracle.Result {
		return new(diary).sent(0, 0, 1).add(foreign).got("c", 0, 0, 1).judge(c)
	}
	if r := judge(oracle.Contract{}); r.Verdict != oracle.Fail {
		t.Error(r.Verdict)
	}
	r := judge(oracle.Contract{Allow: []string{oracle.Unexpected}})
	if r.Verdict != oracle.Pass || r.Anomalies[oracle.Unexpected].Total != 1 {
		t.Error(r.Verdict, r.Reasons, r.Anomalies[oracle.Unexpected])
	}
	r = judge(oracle.Contract{Allow: []string{oracle.Unexpected, oracle.Lost}})
	if r.Verdict != oracle.Unknown || !strings.Contains(strings.Join(r.Reasons, ""), `allows "lost"`) {
		t.Error(r.Verdict, r.Reasons)
	}
}

// What sources cannot see is no promise of a contract that does not ask for it, and unknown where it does.
func TestBlindSources(t *testing.T) {
	judge := func(c oracle.Contract, blind string) oracle.Result {
		s := new(diary).add(history.Event{Kind: history.Source, Name: "topic orders"}).
			add(history.Event{Kind: history.Source, Name: "topic invoices", Group: "g", Detail: blind})
		for i := range uint64(3) {
			id := queue.Identity{Run: 1, Producer: 1, Seq: i}
			s.add(history.Event{Kind: history.Processed, Identity: id, Group: "g"}) // seen in the output first
			s.add(history.Event{Kind: history.Invoke, Identity: id, Outcome: queue.OK})
		}
		return s.judge(c)
	}
	r := judge(oracle.Contract{}, "corrupted, reordered")
	if r.Verdict != oracle.Pass || r.Counts.Acked != 3 || r.Counts.Processed != 3 || r.Counts.InDoubt != 0 || len(r.Sources) != 2 {
		t.Errorf("%s %q %+v %+v", r.Verdict, r.Reasons, r.Counts, r.Sources)
	}
	for _, c := range r.Checks {
		if strings.HasPrefix(c.Expr, oracle.Corrupted) {
			t.Errorf("%+v", c)
		}
	}
	r = judge(oracle.Contract{Order: oracle.OrderProducer}, "corrupted, reordered")
	if r.Verdict != oracle.Unknown || !strings.Contains(strings.Join(r.Reasons, ""), "topic invoices cannot see what is reordered") {
		t.Error(r.Verdict, r.Reasons)
	}
	if r := judge(oracle.Contract{}, "colour"); r.Verdict != oracle.Unknown {
		t.Error(r.Verdict, r.Reasons)
	}

	// A filtered output does not tell of losses; the table beside it does.
	filtered := func(rows uint64) oracle.Result {
		s := new(diary).add(history.Event{Kind: history.Source, Name: "topic orders"}).
			add(history.Event{Kind: history.Source, Name: "topic alerts", Group: "alerts", Detail: "lost"}).
			add(history.Event{Kind: history.Source, Name: "table orders", Group: "g"})
		for i := range uint64(3) {
			id := queue.Identity{Run: 1, Producer: 1, Seq: i}
			s.add(history.Event{Kind: history.Invoke, Identity: id, Outcome: queue.OK})
			if i < rows {
				s.add(history.Event{Kind: history.Processed, Identity: id, Group: "g"})
			}
			if i == 0 {
				s.add(history.Event{Kind: history.Processed, Identity: id, Group: "alerts"})
			}
		}
		return s.judge(oracle.Contract{})
	}
	if r := filtered(3); r.Verdict != oracle.Pass || r.Counts.Processed != 3 || r.Counts.Delivered != 4 {
		t.Errorf("%s %q %+v", r.Verdict, r.Reasons, r.Counts)
	}
	if r := filtered(2); r.Verdict != oracle.Fail || r.Counts.Lost != 1 {
		t.Errorf("%s %q %+v", r.Verdict, r.Reasons, r.Counts)
	}
}
