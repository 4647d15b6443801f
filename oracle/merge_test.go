package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
)

// aboutMessages says that an event tells of a message, or is only counted: one judge is told of it.
func aboutMessages(k history.Kind) bool {
	switch k {
	case history.Invoke, history.Outcome, history.Deliver, history.Processed, history.Settle, history.DeadLetter, history.Hit,
		history.Reserve, history.NotSent, history.Gap:
		return true
	default:
		return false
	}
}

// parts are judges who see a part of a history each.
type parts struct {
	judges []*oracle.Judge
	rng    *rand.Rand
	tight  bool
}

func newParts(c oracle.Config, n int, seed uint64) *parts {
	p := &parts{rng: rand.New(rand.NewPCG(seed, 0)), tight: c.Memory == 1}
	for range n {
		p.judges = append(p.judges, oracle.New(c))
	}
	return p
}

// observe tells one judge of each message, and all of everything else, or only one of that, too, but for the end.
func (p *parts) observe(events []history.Event, to func(*history.Event) int, toAll func(*history.Event) bool) {
	for i := range events {
		e := &events[i]
		for n, j := range p.judges {
			if aboutMessages(e.Kind) && n == to(e) || !aboutMessages(e.Kind) && (n == 0 || toAll(e)) {
				j.Observe(e)
			}
			if p.tight && p.rng.IntN(3) == 0 {
				oracle.Squeeze(j)
			}
		}
	}
}

// merge merges them in any order and grouping.
func (p *parts) merge() (oracle.Result, error) {
	left := slices.Clone(p.judges)
	for len(left) > 1 {
		p.rng.Shuffle(len(left), func(a, b int) { left[a], left[b] = left[b], left[a] })
		if err := left[0].Merge(left[1]); err != nil {
			return oracle.Result{}, err
		}
		left = slices.Delete(left, 1, 2)
	}
	return left[0].Result(), nil
}

func always(*history.Event) bool { return true }

// byTrack gives each track to one of n.
func byTrack(n int, seed uint64) func(*history.Event) int {
	return func(e *history.Event) int {
		t := e.Identity.Track()
		return rand.New(rand.NewPCG(seed, uint64(t.Producer)<<32|uint64(t.Epoch)<<16|uint64(t.Stream))).IntN(n)
	}
}

// mergedDiffers says what is not as one judge found it who saw everything.
func mergedDiffers(whole, merged oracle.Result) (all []string) {
	add := func(what string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			all = append(all, fmt.Sprintf("%s %+v, of one judge %+v", what, b, a))
		}
	}
	add("counts", whole.Counts, merged.Counts)
	add("anomalies", whole.Anomalies, merged.Anomalies)
	add("faults", whole.Faults, merged.Faults)
	add("verdict", whole.Verdict, merged.Verdict)
	add("drained", whole.Drained, merged.Drained)
	add("complete", whole.Complete, merged.Complete)
	add("sources", whole.Sources, merged.Sources)
	add("positions", byPartition(whole.Positions), byPartition(merged.Positions))
	add("witnesses", len(whole.Witnesses), len(merged.Witnesses))
	strip := func(r oracle.Result) (cs []oracle.Check) {
		for _, c := range r.Checks {
			c.Reason = ""
			cs = append(cs, c)
		}
		return cs
	}
	add("checks", strip(whole), strip(merged))
	return all
}

func byPartition(ps []oracle.Position) map[string]oracle.Position {
	all := make(map[string]oracle.Position)
	for _, p := range ps {
		all[fmt.Sprint(p.Group, p.Partition)] = p
	}
	return all
}

// Shards of a history, judged apart and merged, come to what one judge comes to; in any order.
func shardRun(t *rapid.T, c oracle.Config, events []history.Event) oracle.Result {
	n, seed := rapid.IntRange(1, 4).Draw(t, "shards"), rapid.Uint64().Draw(t, "merging")
	whole := judgeWith(c, events)
	var results [2]oracle.Result
	for i := range results {
		p := newParts(c, n, seed+uint64(i))
		p.observe(events, byTrack(n, seed), always)
		r, err := p.merge()
		if err != nil {
			t.Fatal(err)
		}
		if d := mergedDiffers(whole, r); len(d) > 0 {
			t.Fatalf("%s\n%q\n%q\n%s", strings.Join(d, "\n"), whole.Reasons, r.Reasons, story(events))
		}
		results[i] = r
	}
	if n > 1 && !reflect.DeepEqual(results[0], results[1]) {
		t.Fatalf("%+v in one order, in another one %+v", results[0], results[1])
	}
	return whole
}

func TestShardsMerged(t *testing.T) {
	met := map[oracle.Verdict]int{}
	checkMany(t, anyRuns, func(t *rapid.T) {
		s := drawRun(t)
		met[shardRun(t, oracle.Config{Contract: s.contract, Witnesses: 1 << 10}, s.events).Verdict]++
	})
	if met[oracle.Pass] < anyRuns/10 || met[oracle.Fail] < anyRuns/100 {
		t.Errorf("too few runs that pass or fail: %v", met)
	}
}

func TestOddShardsMerged(t *testing.T) {
	checkMany(t, anyRuns, func(t *rapid.T) {
		s, _ := drawOdd(t)
		shardRun(t, oracle.Config{Contract: s.contract, Witnesses: 1 << 10}, s.events)
	})
}
