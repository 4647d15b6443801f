package oracle_test

import (
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

// judgeTight judges with no memory to speak of: every message is given up as soon as can be; or, with a seed, now and then.
func judgeTight(c oracle.Config, events []history.Event, seed uint64) oracle.Result {
	c.Memory = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	j := oracle.New(c)
	for i := range events {
		j.Observe(&events[i])
		if seed == 0 || rng.IntN(4) == 0 {
			oracle.Squeeze(j)
		}
	}
	r := j.Result()
	r.AddLives(slices.Values(events))
	return r
}

// tightDiffers says what a judge without memory must not do: count otherwise, accuse of what one with memory does not, or pass
// what it could not tell. What it may do is to say that it does not know, of order and lateness.
func tightDiffers(full, tight oracle.Result) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	fc, tc := full.Counts, tight.Counts
	if tc.OrderedPairs > fc.OrderedPairs {
		add("%d pairs, of %d", tc.OrderedPairs, fc.OrderedPairs)
	}
	tc.OrderedPairs = fc.OrderedPairs
	if fc != tc {
		add("counts %+v, with memory %+v", tc, fc)
	}
	fewer := false
	for _, name := range oracle.Names() {
		f, g := full.Anomalies[name], tight.Anomalies[name]
		if name != oracle.Reordered && name != oracle.Late {
			if f.Total != g.Total || f.Caused != g.Caused { // when it was is not known so well
				add("%s %+v, with memory %+v", name, g, f)
			}
			continue
		}
		if g.Total > f.Total || g.Caused > f.Caused {
			add("%s %+v, with memory %+v", name, g, f)
		}
		if g.Total < f.Total {
			fewer = true
			if slices.ContainsFunc(tight.Checks, func(c oracle.Check) bool { return c.Expr == name+" == 0" && c.Verdict == oracle.Pass }) {
				add("%s passes with %d of %d", name, g.Total, f.Total)
			}
		}
	}
	for _, c := range full.Checks {
		i := slices.IndexFunc(tight.Checks, func(o oracle.Check) bool { return o.Expr == c.Expr })
		if i < 0 {
			add("no check of %s", c.Expr)
			continue
		}
		got, timed := tight.Checks[i].Verdict, c.Expr == oracle.Reordered+" == 0" || c.Expr == oracle.Late+" == 0"
		if got != c.Verdict && (got != oracle.Unknown || !timed) {
			add("%s is %s, with memory %s", c.Expr, got, c.Verdict)
		}
	}
	if !fewer && full.Verdict == oracle.Fail && tight.Verdict != oracle.Fail || full.Verdict != oracle.Fail && tight.Verdict == oracle.Fail ||
		full.Verdict == oracle.Unknown && tight.Verdict == oracle.Pass {
		add("%s %q, with memory %s %q", tight.Verdict, tight.Reasons, full.Verdict, full.Reasons)
	}
	if !reflect.DeepEqual(full.Outages, tight.Outages) || !reflect.DeepEqual(full.Recovery, tight.Recovery) {
		add("outages %+v and recovery %+v, with memory %+v and %+v", tight.Outages, tight.Recovery, full.Outages, full.Recovery)
	}
	return all
}

func TestCorpusTight(t *testing.T) {
	for _, s := range tales(t) {
		full := s.judge(oracle.New(oracle.Config{Contract: s.contract}))
		for seed := range uint64(8) {
			for _, d := range tightDiffers(full, judgeTight(oracle.Config{Contract: s.contract}, s.events, seed)) {
				t.Errorf("%s (%d): %s", s.name, seed, d)
			}
		}
	}
}

func tightRun(t *rapid.T, contract oracle.Contract, events []history.Event) {
	full := judge(contract, events)
	seed := rapid.Uint64Range(0, 9).Draw(t, "giving up")
	if d := tightDiffers(full, judgeTight(oracle.Config{Contract: contract}, events, seed)); len(d) > 0 {
		t.Fatalf("%s\n%s", strings.Join(d, "\n"), story(events))
	}
}

func TestRunsTight(t *testing.T) {
	checkMany(t, anyRuns, func(t *rapid.T) {
		s := drawRun(t)
		tightRun(t, s.contract, s.events)
	})
}

func TestAnyHistoryTight(t *testing.T) {
	checkMany(t, anyRuns, func(t *rapid.T) {
		s, _ := drawOdd(t)
		tightRun(t, s.contract, s.events)
	})
}

func TestLongChainsTight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, _ := drawChain(t)
		tightRun(t, s.contract, s.events)
	})
}

// drawBig is a run of many pages: most of it ordinary, and here and there something that is wrong, or comes back long after.
func drawBig(t *rapid.T) (oracle.Contract, []history.Event) {
	contract := drawContract(t)
	contract.MaxDelay = 6 * time.Second
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	n, producers, groups := rapid.IntRange(1000, 8000).Draw(t, "messages"), 1+rng.IntN(3), 1+rng.IntN(2)
	lag, keys := 1+rng.IntN(2000), 1+rng.IntN(30)
	odds := []int{0, 20, 1000, 5000}[rng.IntN(4)] // one message in so many is not ordinary
	due := make([][]history.Event, 3*n+4*lag)
	odd := func() bool { return odds > 0 && rng.IntN(odds) == 0 }
	later := func(at int) int { // soon, or in quite another time
		if rng.IntN(2) == 0 {
			return at + 1 + rng.IntN(lag)
		}
		return at + 1 + rng.IntN(len(due)-at-1)
	}
	post := func(at int, e history.Event) {
		if at < len(due) {
			due[at] = append(due[at], e)
		}
	}
	for i := range n {
		id := queue.Identity{Run: 9, Producer: uint32(i % producers), Seq: uint64(i / producers)}
		back := uint32(0)
		if id.Seq >= uint64(keys) {
			back = uint32(keys)
		}
		invoke := history.Event{Kind: history.Invoke, Identity: id, Back: back, Attempt: 1, Intended: int64(i) * 1e6}
		post(i, invoke)
		answer, outcome := i, queue.OK
		if odd() {
			answer, outcome = later(i), queue.Outcome(rng.IntN(3))
		}
		post(answer, history.Event{Kind: history.Outcome, Identity: id, Outcome: outcome, Attempt: 1})
		if odd() {
			again := later(answer)
			post(again, invoke)
			post(again, history.Event{Kind: history.Outcome, Identity: id, Outcome: queue.Outcome(rng.IntN(3)), Attempt: 2})
		}
		for g := range groups {
			e := history.Event{Identity: id, Group: string(rune('a' + g)), Ack: true, Outcome: queue.OK, Intended: invoke.Intended}
			at := i + lag + g
			if odds > 0 {
				at += g * lag / 2 // a group that comes late has what is forgotten already
			}
			if !odd() {
				bigDelivery(rng, e, at, odd, later, post)
			}
		}
	}
	return contract, listed(due, groups, n)
}

// bigDelivery plans what a group does with a message.
func bigDelivery(rng *rand.Rand, e history.Event, at int, odd func() bool, later func(int) int, post func(int, history.Event)) {
	if odd() {
		at = later(at)
	}
	for _, kind := range []history.Kind{history.Deliver, history.Processed, history.Settle} {
		e.Kind = kind
		if odd() {
			switch rng.IntN(5) {
			case 0:
				continue // it does not happen
			case 1:
				post(later(at), e) // it happens again
			case 2:
				at = later(at)
			case 3:
				e.Claim++
			case 4:
				e.Damage = history.CorruptPayload
			}
		}
		post(at, e)
	}
}

// listed makes a history of what is due when, with a fault in its middle.
func listed(due [][]history.Event, groups, n int) []history.Event {
	var events []history.Event
	add := func(at int, e history.Event) {
		e.At = int64(at)*1e6 + 1
		events = append(events, e)
	}
	for at, es := range due {
		switch at {
		case n / 2:
			add(at, history.Event{Kind: history.FaultBegin, Name: "kill"})
			add(at, history.Event{Kind: history.FaultSeen, Name: "kill", Value: 1})
		case n:
			add(at, history.Event{Kind: history.HealSeen, Name: "kill"})
		}
		for _, e := range es {
			add(at, e)
		}
	}
	for g := range groups {
		add(len(due), history.Event{Kind: history.Drain, Group: string(rune('a' + g)), Outcome: queue.OK})
	}
	add(len(due), history.Event{Kind: history.End})
	return events
}

// Where pages come and go as memory allows, the judgement is that of a judge who forgets nothing.
func TestBigRunsTight(t *testing.T) {
	const room = 1 << 20 // for two pages of each track; with less, also what is being filled is given up
	ordinary, untold := 0, 0
	met := map[string]int64{}
	rapid.Check(t, func(t *rapid.T) {
		contract, events := drawBig(t)
		full := judgeWith(oracle.Config{Contract: contract, Memory: 1 << 40}, events)
		if full.Verdict == oracle.Pass {
			ordinary++
		}
		for name, a := range full.Anomalies {
			met[name] += a.Total
		}
		for _, memory := range []int64{1, room} {
			tight := judgeWith(oracle.Config{Contract: contract, Memory: memory}, events)
			if d := tightDiffers(full, tight); len(d) > 0 {
				t.Fatalf("with %d bytes: %s", memory, strings.Join(d, "\n"))
			}
			if memory == room && full.Verdict == oracle.Pass && tight.Verdict != oracle.Pass {
				t.Fatalf("with %d bytes an ordinary run is %s %q", memory, tight.Verdict, tight.Reasons)
			}
			if tight.Counts.OrderedPairs < full.Counts.OrderedPairs || tight.Anomalies[oracle.Late].Total < full.Anomalies[oracle.Late].Total {
				untold++
			}
		}
	})
	if (ordinary == 0 || untold == 0) && !t.Failed() {
		t.Errorf("%d runs were ordinary, and %d forgot something", ordinary, untold)
	}
	t.Logf("%d ordinary, %d forgot something; %v", ordinary, untold, met)
}
