package oracle_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// leastRuns is how many random runs each test of the correct queue makes at least.
const leastRuns = 2000

// checkMany runs a property as often as rapid is told to, in parts, until it was tried leastRuns times.
func checkMany(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	runs := 0
	for part := 0; runs < leastRuns; part++ {
		t.Run(fmt.Sprint("part", part), rapid.MakeCheck(func(rt *rapid.T) {
			runs++
			property(rt)
		}))
		if t.Failed() {
			return
		}
	}
	t.Logf("%d runs (rapid.checks %s)", runs, flag.Lookup("rapid.checks").Value)
}

func drawContract(t *rapid.T) oracle.Contract {
	return oracle.Contract{
		Delivery: rapid.SampledFrom([]oracle.Delivery{oracle.AtLeastOnce, oracle.ExactlyOnce}).Draw(t, "delivery"),
		Order:    rapid.SampledFrom([]oracle.Order{oracle.NoOrder, oracle.OrderKey, oracle.OrderProducer}).Draw(t, "order"),
		MaxDelay: time.Hour,
	}
}

// drawChoices draws what drives a sim. The bytes alone would be small and alike too often; a seed of 0 leaves them as they are,
// so that a failing run shrinks.
func drawChoices(t *rapid.T, least int) []byte {
	choices := rapid.SliceOfN(rapid.Byte(), least, 250).Draw(t, "choices")
	if seed := rapid.Uint64().Draw(t, "seed"); seed != 0 {
		rng := rand.New(rand.NewPCG(seed, 0))
		for i := range choices {
			choices[i] ^= byte(rng.Uint32())
		}
	}
	return choices
}

func judge(c oracle.Contract, events []history.Event) oracle.Result {
	j := oracle.New(oracle.Config{Contract: c})
	for i := range events {
		j.Observe(&events[i])
	}
	return j.Result()
}

// compare holds the result against the definitions.
func compare(t *rapid.T, s *sim, r oracle.Result) map[string]int64 {
	var groups []string
	for _, g := range s.groups {
		groups = append(groups, g.name)
	}
	want := newNaive(s.contract, s.events).judge(groups)
	for _, name := range oracle.Names() {
		if got := r.Anomalies[name].Total; got != want[name] {
			t.Fatalf("%s: %d, by definition %d\n%s", name, got, want[name], story(s.events))
		}
	}
	c := r.Counts
	if c.Offered != want["offered"] || c.Acked != want["ok"] || c.Failed != want["failed"] || c.InDoubt != want["unknown"] {
		t.Fatalf("counts %+v, by definition %v\n%s", c, want, story(s.events))
	}
	if c.Acked*int64(len(groups)) != c.Processed+c.DeadLettered+c.Queued+c.Lost+c.Unaccounted {
		t.Fatalf("the account does not add up: %+v", c)
	}
	return want
}

func story(events []history.Event) (text string) {
	for _, e := range events {
		text += fmt.Sprintf("kind %d %v group %q outcome %s ack %v back %d claim %d damage %d\n",
			e.Kind, e.Identity, e.Group, e.Outcome, e.Ack, e.Back, e.Claim, e.Damage)
	}
	return text
}

// A correct queue is never accused, whatever the interleaving.
func TestCorrectRunsAreNotAccused(t *testing.T) {
	passed := 0
	checkMany(t, func(t *rapid.T) {
		s := &sim{contract: drawContract(t), choices: drawChoices(t, 60*rapid.IntRange(0, 1).Draw(t, "long"))}
		s.run()
		r := judge(s.contract, s.events)
		compare(t, s, r)
		for _, name := range oracle.Names() {
			if n := r.Anomalies[name].Total; n > 0 && name != oracle.Redelivered {
				t.Fatalf("%d %s in a correct run\n%s", n, name, story(s.events))
			}
		}
		switch r.Verdict {
		case oracle.Fail:
			t.Fatalf("a correct run fails: %q", r.Reasons)
		case oracle.Pass:
			passed++
		default: // only because too little happened
			if r.Counts.Processed > 0 && r.Counts.OrderedPairs > 0 {
				t.Fatalf("a correct run is unknown: %q\n%s", r.Reasons, story(s.events))
			}
		}
	})
	if passed < leastRuns/4 && !t.Failed() {
		t.Errorf("only %d runs passed: the others proved too little", passed)
	}
}

// Every planted bug is found, as often as it struck, and nothing else is.
func TestPlantedBugsAreFound(t *testing.T) {
	bugs := []struct{ bug, anomaly string }{
		{"acks without storing", oracle.Lost},
		{"loses in one group", oracle.Lost},
		{"loses the tail on restart", oracle.Lost},
		{"acks without working", oracle.Lost},
		{"forgets an ack", oracle.Duplicated},
		{"works twice", oracle.Duplicated},
		{"reorders", oracle.Reordered},
		{"flips a bit", oracle.Corrupted},
		{"invents a message", oracle.Unexpected},
		{"delivers another's message", oracle.Unexpected},
		{"stores what it refuses", oracle.FailedButDelivered},
		{"is slow", oracle.Late},
	}
	for _, b := range bugs {
		t.Run(b.bug, func(t *testing.T) {
			struck := 0
			rapid.Check(t, func(t *rapid.T) {
				s := &sim{
					contract: oracle.Contract{Delivery: oracle.ExactlyOnce, Order: oracle.OrderKey, MaxDelay: time.Hour},
					choices:  rapid.SliceOfN(rapid.Byte(), 100, 250).Draw(t, "choices"),
					bug:      b.bug, target: rapid.IntRange(0, 2).Draw(t, "target"),
				}
				s.run()
				r := judge(s.contract, s.events)
				compare(t, s, r)
				if s.planted == 0 {
					return
				}
				struck++
				n := r.Anomalies[b.anomaly].Total
				switch b.bug {
				case "stores what it refuses", "acks without storing": // seen in each group
					n /= int64(len(s.groups))
				case "reorders": // one may overtake several
					n = min(n, 1)
				}
				if n != int64(s.planted) || r.Verdict != oracle.Fail {
					t.Fatalf("planted %d, found %d, verdict %s\n%s", s.planted, n, r.Verdict, story(s.events))
				}
				for _, name := range oracle.Names() {
					if name != b.anomaly && name != oracle.Redelivered && r.Anomalies[name].Total > 0 {
						t.Fatalf("found %s, too\n%s", name, story(s.events))
					}
				}
			})
			if struck < 3 && !t.Failed() {
				t.Errorf("the bug struck in %d runs only", struck)
			}
		})
	}
}

// Any stream of events, however odd, is judged by the definitions, and never ends in a crash.
func TestAnyHistoryByDefinition(t *testing.T) {
	kinds := []history.Kind{history.Invoke, history.Outcome, history.Deliver, history.Processed, history.Settle, history.DeadLetter}
	checkMany(t, func(t *rapid.T) {
		s := &sim{contract: drawContract(t), groups: []*simGroup{{name: "a"}, {name: "b"}}}
		if rapid.Bool().Draw(t, "at most once") {
			s.contract.Delivery = oracle.AtMostOnce
		}
		open := map[queue.Identity]int{}
		invoked := map[uint32]uint64{}
		for _, b := range rapid.SliceOfN(rapid.Uint64(), 0, 60).Draw(t, "events") {
			draw := func(n uint64) uint64 { v := b % n; b /= n; return v }
			e := history.Event{Kind: kinds[draw(6)], Identity: queue.Identity{Run: 9, Producer: uint32(draw(2))}}
			e.Identity.Seq = draw(8)
			switch e.Kind {
			case history.Invoke:
				if seq := invoked[e.Identity.Producer]; draw(2) == 0 || e.Identity.Seq > seq { // numbers are used in order
					e.Identity.Seq = seq
					invoked[e.Identity.Producer]++
				}
				e.Back = uint32(e.Identity.Seq % 3)
				open[e.Identity]++
			case history.Outcome:
				e.Outcome = queue.Outcome(draw(3))
				if open[e.Identity] == 0 {
					continue
				}
				open[e.Identity]--
			default:
				e.Group, e.Claim, e.Ack, e.Outcome = []string{"a", "b"}[draw(2)], int64(draw(2)), draw(3) > 0, queue.Outcome(draw(3))
				if len(invoked) == 0 {
					continue
				}
				e.Damage = history.Damage(max(0, int(draw(12))-9))
				if e.Kind != history.Deliver {
					e.Damage = 0
				}
			}
			s.emit(e)
		}
		for _, g := range []string{"a", "b"} {
			s.emit(history.Event{Kind: history.Drain, Group: g, Outcome: queue.OK})
		}
		s.emit(history.Event{Kind: history.End})
		r := judge(s.contract, s.events)
		if len(invoked) == 0 {
			return
		}
		compare(t, s, r)
	})
}
