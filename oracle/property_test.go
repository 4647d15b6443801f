package oracle_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

const (
	// correctRuns is how many random runs of a correct queue are judged at least.
	correctRuns = 10_000
	// anyRuns is the same for streams of any events.
	anyRuns = 2_000
)

// checkMany runs a property as often as rapid is told to, in parts, until it was tried least times.
func checkMany(t *testing.T, least int, property func(*rapid.T)) {
	t.Helper()
	runs := 0
	for part := 0; runs < least; part++ {
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
		Order:    rapid.SampledFrom([]oracle.Order{oracle.NoOrder, oracle.OrderKey, oracle.OrderProducer, oracle.OrderPartition}).Draw(t, "order"),
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
	for _, e := range s.events {
		if e.Group != "" && !slices.Contains(groups, e.Group) {
			groups = append(groups, e.Group)
		}
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
	if want["expected"] != c.Processed+c.DeadLettered+c.Queued+c.Lost+c.Unaccounted || c.Queued+c.Unaccounted != want["missing"] {
		t.Fatalf("the account %+v, by definition %v\n%s", c, want, story(s.events))
	}
	if got := r.Anomalies[oracle.Corrupted].During; got != want["corrupted during"] {
		t.Fatalf("%d corrupted during a fault, by definition %v\n%s", got, want, story(s.events))
	}
	compareFaults(t, s, r)
	return want
}

func compareFaults(t *rapid.T, s *sim, r oracle.Result) {
	want, strays := newNaive(s.contract, s.events).faults()
	for i := range want {
		got := r.Faults[i]
		got.What, got.Heal, got.Hits, got.Anomalies, got.Exposed = "", 0, 0, nil, 0
		if !reflect.DeepEqual(got, want[i]) {
			t.Fatalf("fault %d: %+v, by definition %+v\n%s", i, got, want[i], story(s.events))
		}
	}
	told := strings.Contains(strings.Join(r.Reasons, "\n"), "stages of a fault that never began")
	if len(r.Faults) != len(want) || told != (strays > 0) {
		t.Fatalf("%d faults, stray stages %v; by definition %d, and %d strays", len(r.Faults), told, len(want), strays)
	}
}

func story(events []history.Event) (text string) {
	for _, e := range events {
		text += fmt.Sprintf("%s %v group %q outcome %s ack %v back %d claim %d damage %d name %q node %q value %v\n",
			e.Kind, e.Identity, e.Group, e.Outcome, e.Ack, e.Back, e.Claim, e.Damage, e.Name, e.Node, e.Value)
	}
	return text
}

// A correct queue is never accused, whatever the interleaving.
func TestCorrectRunsAreNotAccused(t *testing.T) {
	passed := 0
	checkMany(t, correctRuns, func(t *rapid.T) {
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
	if passed < correctRuns/4 && !t.Failed() {
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

// drawOdd is a stream of any events; sent: some of them are sends.
func drawOdd(t *rapid.T) (s *sim, sent bool) {
	s = &sim{contract: drawContract(t), groups: []*simGroup{{name: "a"}, {name: "b"}}}
	if rapid.Bool().Draw(t, "at most once") {
		s.contract.Delivery = oracle.AtMostOnce
	}
	o := &odd{sim: s, next: map[queue.Track]uint64{}, backs: map[queue.Identity]uint32{}, keys: map[queue.Track][2]uint64{},
		open: map[queue.Identity]int{}}
	for _, b := range rapid.SliceOfN(rapid.Uint64(), 0, 150).Draw(t, "events") {
		o.event(b)
	}
	if rapid.IntRange(0, 3).Draw(t, "drained at last") > 0 {
		for _, g := range []string{"a", "b"} {
			s.emit(history.Event{Kind: history.Drain, Group: g, Outcome: queue.OK})
		}
	}
	s.emit(history.Event{Kind: history.End})
	return s, len(o.next) > 0
}

// Any stream of events, however odd, is judged by the definitions, and never ends in a crash.
func TestAnyHistoryByDefinition(t *testing.T) {
	checkMany(t, anyRuns, func(t *rapid.T) {
		s, sent := drawOdd(t)
		if r := judge(s.contract, s.events); sent {
			compare(t, s, r)
		}
	})
}

// odd makes one event of a number. Only what no recorder can write is left out: outcomes without a send, numbers that are not
// used in order, a key with two next messages.
type odd struct {
	*sim
	next  map[queue.Track]uint64
	backs map[queue.Identity]uint32
	keys  map[queue.Track][2]uint64 // one past the last number of each key
	open  map[queue.Identity]int    // by Run: of the run 9 itself, and of 10 for those to another topic
}

func (o *odd) event(b uint64) {
	draw := func(n uint64) uint64 { v := b % n; b /= n; return v }
	kind := draw(20)
	e := history.Event{Identity: queue.Identity{Run: 9, Producer: uint32(draw(2)), Stream: uint16(draw(8) / 6)}}
	e.Identity.Seq = draw(8)
	if draw(6) == 0 {
		e.Name = "elsewhere"
	}
	switch {
	case kind < 4:
		o.invoke(e, draw(2) == 0, draw(2))
	case kind < 8:
		e.Kind, e.Outcome = history.Outcome, queue.Outcome(draw(3))
		key := openKey(&e)
		if o.open[key] > 0 {
			o.open[key]--
			o.emit(e)
		}
	case len(o.next) == 0:
	case kind < 18:
		e.Kind = []history.Kind{history.Deliver, history.Deliver, history.Deliver, history.Processed, history.Processed,
			history.Settle, history.Settle, history.Settle, history.DeadLetter, history.Deliver}[kind-8]
		e.Group, e.Claim, e.Ack, e.Outcome = []string{"a", "b"}[draw(2)], int64(draw(2)), draw(3) > 0, queue.Outcome(draw(3))
		if e.Kind == history.Deliver || e.Kind == history.Processed {
			e.Damage = history.Damage(max(0, int(draw(16))-12))
		}
		if e.Kind == history.DeadLetter {
			e.Name = ""
		}
		if e.Damage > history.CorruptPayload {
			e.Identity = queue.Identity{}
		}
		o.emit(e)
	case kind == 18:
		o.emit(history.Event{Kind: history.Drain, Group: []string{"a", "b"}[draw(2)], Outcome: queue.Outcome(draw(3)), Value: float64(draw(2))})
	default:
		stages := []history.Kind{history.FaultBegin, history.FaultBegin, history.FaultSeen, history.HealBegin, history.HealSeen}
		o.emit(history.Event{Kind: stages[draw(5)], Name: []string{"kill", "stop"}[draw(2)], Node: []string{"", "n1", "n2"}[draw(3)]})
	}
}

func openKey(e *history.Event) queue.Identity {
	key := e.Identity
	if e.Name != "" {
		key.Run++
	}
	return key
}

func (o *odd) invoke(e history.Event, fresh bool, key uint64) {
	e.Kind = history.Invoke
	t := e.Identity.Track()
	if seq := o.next[t]; e.Name == "" && (fresh || e.Identity.Seq >= seq) {
		e.Identity.Seq = seq
		o.next[t]++
		last := o.keys[t]
		if last[key] > 0 {
			o.backs[e.Identity] = uint32(seq - (last[key] - 1))
		}
		last[key] = seq + 1
		o.keys[t] = last
	}
	e.Back = o.backs[e.Identity]
	if e.Identity.Seq < o.next[t] { // what goes elsewhere was sent before
		o.open[openKey(&e)]++
		o.emit(e)
	}
}

// drawChain is a run of hundreds of messages of a key that are sent without waiting, some never confirmed, some confirmed late,
// some never received. ackLag is how far behind the last is confirmed.
func drawChain(t *rapid.T) (s *sim, ackLag int) {
	s = &sim{contract: drawContract(t), groups: []*simGroup{{name: "a"}}}
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	n, keys := rapid.IntRange(2, 250).Draw(t, "messages"), rapid.Uint64Range(1, 2).Draw(t, "keys")
	ackLag, lag := rapid.IntRange(1, 150).Draw(t, "acks"), rapid.IntRange(1, 150).Draw(t, "deliveries")
	due := make([][]history.Event, n+ackLag+lag+1)
	for i := range n {
		id := queue.Identity{Run: 9, Seq: uint64(i)}
		back := uint32(keys)
		if id.Seq < keys {
			back = 0
		}
		due[i] = append(due[i], history.Event{Kind: history.Invoke, Identity: id, Back: back, Attempt: 1})
		at := i + 1 + rng.IntN(ackLag)
		if rng.IntN(4) == 0 { // most at once
			at = i + 1
		}
		due[at] = append(due[at], history.Event{Kind: history.Outcome, Identity: id, Outcome: queue.Outcome(rng.IntN(2))})
		if rng.IntN(10) > 0 {
			at = i + 1 + rng.IntN(lag)
			due[at] = append(due[at], history.Event{Kind: history.Deliver, Identity: id, Group: "a"})
		}
	}
	for _, es := range due {
		for _, e := range es {
			s.emit(e)
		}
	}
	s.emit(history.Event{Kind: history.Drain, Group: "a", Outcome: queue.OK})
	s.emit(history.Event{Kind: history.End})
	return s, ackLag
}

// Order is judged however far back it was broken.
func TestLongChainsByDefinition(t *testing.T) {
	far := 0
	rapid.Check(t, func(t *rapid.T) {
		s, ackLag := drawChain(t)
		r := judge(s.contract, s.events)
		compare(t, s, r)
		if r.Anomalies[oracle.Reordered].Total > 0 && ackLag > 64 {
			far++
		}
	})
	if far == 0 && !t.Failed() {
		t.Error("no run was out of order")
	}
}
