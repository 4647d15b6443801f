package oracle_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// observer is whose order of events is kept: a group's, as if it were one client, because what it got first is its own matter;
// a producer's; or that of the run.
func observer(e *history.Event) string {
	if e.Group != "" && e.Kind != history.Hit {
		return "group " + e.Group
	}
	return e.Client
}

// interleave is the same run as it could have been observed otherwise: what different clients saw is shuffled, but nothing is
// received before it was sent, a drain comes after what was sent before it, and a forwarding and its outcome stay together. Each
// event keeps its time, unless retime gives out the times anew, in order.
func interleave(events []history.Event, rng *rand.Rand, retime bool) []history.Event {
	last := len(events) - 1 // the end
	lines := map[string][]int{}
	var clients []string
	sent := map[queue.Identity]int{} // place of the first send
	for i := range events[:last] {
		e := &events[i]
		who := observer(e)
		if lines[who] == nil {
			clients = append(clients, who)
		}
		lines[who] = append(lines[who], i)
		if _, ok := sent[e.Identity]; !ok && e.Kind == history.Invoke {
			sent[e.Identity] = i
		}
	}
	told := make([]bool, len(events))
	ready := func(i int) bool {
		e := &events[i]
		if first, ok := sent[e.Identity]; ok && first < i && !told[first] {
			return false
		}
		for _, who := range clients {
			if e.Kind == history.Drain && strings.HasPrefix(who, "p") && len(lines[who]) > 0 && lines[who][0] < i {
				return false
			}
		}
		return true
	}
	out := make([]history.Event, 0, len(events))
	for len(out) < last {
		who := clients[rng.IntN(len(clients))]
		for n := 1 + rng.IntN(6); n > 0 && len(lines[who]) > 0 && ready(lines[who][0]); n-- {
			i := lines[who][0]
			lines[who] = lines[who][1:]
			told[i] = true
			out = append(out, events[i])
			if e := &events[i]; e.Kind == history.Invoke && e.Name != "" {
				n++ // and its outcome
			}
		}
	}
	out = append(out, events[last])
	if retime {
		for i := range out {
			out[i].At = events[i].At
		}
	}
	return out
}

// sameCounts says in what two judgements of the same run differ, apart from when things happened.
func sameCounts(t interface{ Errorf(string, ...any) }, want, got oracle.Result) {
	if want.Counts != got.Counts {
		t.Errorf("counts %+v, and before %+v", got.Counts, want.Counts)
	}
	for _, name := range oracle.Names() {
		if want.Anomalies[name].Total != got.Anomalies[name].Total {
			t.Errorf("%s: %d, and before %d", name, got.Anomalies[name].Total, want.Anomalies[name].Total)
		}
	}
	if want.Verdict != got.Verdict {
		t.Errorf("%s %q, and before %s %q", got.Verdict, got.Reasons, want.Verdict, want.Reasons)
	}
}

func simBugs() []string {
	return []string{"", "acks without storing", "loses in one group", "loses the tail on restart", "acks without working",
		"forgets an ack", "works twice", "reorders", "flips a bit", "invents a message", "delivers another's message",
		"stores what it refuses", "is slow"}
}

// drawRun is a run of a sound or a faulty queue.
func drawRun(t *rapid.T) *sim {
	s := &sim{contract: drawContract(t), choices: drawChoices(t, 60), bug: rapid.SampledFrom(simBugs()).Draw(t, "bug")}
	s.target = rapid.IntRange(0, 2).Draw(t, "target")
	s.run()
	return s
}

// forgetPairs leaves out what depends on whether an outcome, which tells the partition, was seen before the delivery: how many
// pairs were promised an order, and so whether there were enough to pass.
func forgetPairs(results ...*oracle.Result) {
	for _, r := range results {
		if r.Counts.OrderedPairs = 0; r.Verdict == oracle.Pass {
			r.Verdict = oracle.Unknown
		}
	}
}

// What producers and consumers saw is judged the same, in whatever order the history has it.
func TestInterleavingIsNoMatter(t *testing.T) {
	moved, accused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawRun(t)
		want := judge(s.contract, s.events)
		if want.Verdict == oracle.Fail {
			accused++
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "interleaving"), 0))
		for range 4 {
			other := interleave(s.events, rng, true)
			if !slices.Equal(other, s.events) {
				moved++
			}
			got := judge(s.contract, other)
			if s.contract.Order == oracle.OrderPartition {
				forgetPairs(&want, &got)
			}
			sameCounts(t, want, got)
			if t.Failed() {
				t.Fatalf("before:\n%s\nnow:\n%s", story(s.events), story(other))
			}
		}
	})
	if (moved < 200 || accused < 20) && !t.Failed() {
		t.Errorf("%d interleavings were others, and %d runs failed", moved, accused)
	}
}
