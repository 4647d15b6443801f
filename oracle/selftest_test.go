package oracle_test

import (
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// values is load as a history reader gives it.
func values(n, loss, dup, window int) func() iter.Seq[history.Event] {
	return func() iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			for e := range load(n, loss, dup, window) {
				if !yield(*e) {
					return
				}
			}
		}
	}
}

func whole(events []history.Event) func() iter.Seq[history.Event] {
	return func() iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			for _, e := range events {
				if !yield(e) {
					return
				}
			}
		}
	}
}

func without(events func() iter.Seq[history.Event], kinds ...history.Kind) func() iter.Seq[history.Event] {
	return func() iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			for e := range events() {
				drop := false
				for _, k := range kinds {
					drop = drop || e.Kind == k
				}
				if !drop && !yield(e) {
					return
				}
			}
		}
	}
}

func TestSelfTestFindsWhatItPlants(t *testing.T) {
	key := oracle.Contract{Delivery: oracle.AtLeastOnce, Order: oracle.OrderKey}
	exactly := oracle.Contract{Delivery: oracle.ExactlyOnce, MaxDelay: time.Hour}
	unkeyed := func() iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			for e := range values(5000, 0, 0, 0)() {
				e.Back = 0
				if !yield(e) {
					return
				}
			}
		}
	}
	tests := []struct {
		name     string
		contract oracle.Contract
		events   func() iter.Seq[history.Event]
		planted  int
	}{
		{"in order", key, values(20_000, 0, 0, 0), 9},
		{"by producer", oracle.Contract{Order: oracle.OrderProducer}, values(20_000, 0, 0, 0), 9},
		{"with a delay", exactly, values(20_000, 0, 0, 0), 10},
		{"at most once", oracle.Contract{Delivery: oracle.AtMostOnce}, values(20_000, 0, 0, 0), 9},
		{"loss", key, values(20_000, 3, 0, 0), 9},
		{"duplicates", exactly, values(20_000, 0, 5, 0), 10},
		{"reordered", key, values(20_000, 1, 1, 1000), 9},
		{"without keys", oracle.Contract{}, unkeyed, 9},
		{"not drained", key, without(values(20_000, 1, 0, 0), history.Drain), 9},
		{"cut off", key, without(values(20_000, 0, 0, 0), history.Drain, history.End), 9},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, got := oracle.JudgeAndTest(oracle.Config{Contract: test.contract}, test.events)
			if got.Planted != test.planted || got.Found != got.Planted || len(got.Missed)+len(got.Skipped) > 0 {
				t.Errorf("%+v, want %d planted and found", got, test.planted)
			}
			alone := oracle.JudgeAll(test.contract, test.events)
			if r.Counts != alone.Counts || r.Verdict != alone.Verdict {
				t.Errorf("beside the self-test the judgement is %s %+v, alone it is %s %+v", r.Verdict, r.Counts, alone.Verdict, alone.Counts)
			}
		})
	}
}

// Where much is late already, what is planted is planted elsewhere.
func TestSelfTestWhereMuchIsLate(t *testing.T) {
	late := func() iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			for e := range values(20_000, 0, 0, 0)() {
				if e.Kind == history.Invoke || e.Kind == history.Deliver {
					e.Intended = e.At
					if e.Kind == history.Deliver && e.Identity.Seq/200%2 == 1 {
						e.Intended -= int64(2 * time.Second)
					}
				}
				if !yield(e) {
					return
				}
			}
		}
	}
	c := oracle.Contract{Delivery: oracle.ExactlyOnce, MaxDelay: time.Second}
	r, got := oracle.JudgeAndTest(oracle.Config{Contract: c}, late)
	if r.Anomalies[oracle.Late].Total < 9_000 || got.Found != got.Planted || got.Planted != 10 || len(got.Missed) > 0 {
		t.Errorf("%d late; %+v", r.Anomalies[oracle.Late].Total, got)
	}
}

// A history of somebody's own application tells of no deliveries, only of the work.
func TestSelfTestWithoutDeliveries(t *testing.T) {
	for _, s := range []shape{{told: 2}, {told: 2, loss: 1}, {told: 2, dup: 5}} {
		var events []history.Event
		events = append(events, history.Event{Kind: history.Source, Name: "topic orders", At: 1},
			history.Event{Kind: history.Source, Name: "topic invoices", Group: "workers", At: 1})
		s.run(10_000, func(e *history.Event) { events = append(events, *e) })
		got := oracle.RunSelfTest(oracle.Contract{}, func() iter.Seq[history.Event] { return slices.Values(events) })
		if got.Planted != 4 || got.Found != 4 || len(got.Missed) > 0 || len(got.Skipped) != 1 {
			t.Errorf("%+v: %+v", s, got)
		}
	}
}

// The self-test of a judge that misses something says so.
func TestSelfTestNoticesABadJudge(t *testing.T) {
	contract := oracle.Contract{Delivery: oracle.ExactlyOnce, Order: oracle.OrderKey, MaxDelay: time.Hour}
	events := values(20_000, 0, 0, 0)
	if got := oracle.BlindSelfTest(contract, events); got.Found != 0 || len(got.Missed) != 11 {
		t.Errorf("a blind judge: %+v", got)
	}
	for _, kind := range []history.Kind{history.Invoke, history.Outcome, history.Deliver, history.Processed, history.Settle} {
		if got := oracle.ForgetfulSelfTest(contract, events, kind); got.Found == got.Planted || len(got.Missed) == 0 {
			t.Errorf("a judge that ignores events of kind %d: %+v", kind, got)
		}
	}
}

func TestSelfTestSaysWhatItCannotPlant(t *testing.T) {
	s := parseTale(t, "inline", "life g p1 0\ndrain g\nend")
	got := oracle.RunSelfTest(oracle.Contract{}, whole(s.events))
	if got.Planted == 0 || got.Found != got.Planted || len(got.Skipped) == 0 || !strings.HasPrefix(got.Skipped[0], oracle.Reordered) {
		t.Errorf("%+v", got)
	}
	if got := oracle.RunSelfTest(oracle.Contract{}, whole(nil)); got.Planted != 0 || len(got.Skipped) != 9 {
		t.Errorf("empty: %+v", got)
	}
}

// In any run of a correct queue, and of one with a bug, what is planted is found.
func TestSelfTestOnRandomRuns(t *testing.T) {
	planted := 0
	rapid.Check(t, func(t *rapid.T) {
		s := &sim{contract: drawContract(t), choices: drawChoices(t, 150)}
		s.bug = rapid.SampledFrom([]string{"", "acks without storing", "forgets an ack", "reorders", "flips a bit"}).Draw(t, "bug")
		s.run()
		got := oracle.RunSelfTest(s.contract, whole(s.events))
		planted += got.Planted
		if got.Found != got.Planted || len(got.Missed) > 0 {
			t.Fatalf("%+v\n%s", got, story(s.events))
		}
	})
	if planted < 200 && !t.Failed() {
		t.Errorf("only %d anomalies were planted", planted)
	}
}

func TestWitnessesHaveTheirLife(t *testing.T) {
	s := parseTale(t, "inline", `
		invoke p1 0
		unknown p1 0
		invoke p1 0 attempt=2
		ok p1 0
		deliver g p1 0
		nack g p1 0
		deliver g p1 0
		ack g p1 0 outcome=unknown
		life g p1 1
		drain g
		end`)
	r := oracle.JudgeAll(oracle.Contract{}, whole(s.events))
	if len(r.Witnesses) != 2 {
		t.Fatalf("witnesses %+v", r.Witnesses)
	}
	want := "sent, in doubt, sent, acked, delivered, given back, delivered, settled (not confirmed)"
	for _, w := range r.Witnesses {
		var steps []string
		for _, step := range w.Life {
			steps = append(steps, step.What)
		}
		if got := strings.Join(steps, ", "); got != want || w.Message != (queue.Identity{Run: 7, Producer: 1}) || w.Group != "g" {
			t.Errorf("%s of %v: %s", w.Anomaly, w.Message, got)
		}
	}
}
