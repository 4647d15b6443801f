package result_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
	"pgregory.net/rapid"
)

// Whatever a history holds, also what no run would write, it is judged without a crash, the result can be written, and nothing
// that did not come to its own end passes.
func TestAnyHistoryIsJudged(t *testing.T) {
	s := parse(t, "  - failover < 12s\n  - max(lag) < 5\n  - mean(rate.acked, observe) > 1/s\n  - probe.checkout.ok > 50%\n  - drain < 1s\n"+
		"  - max(memory) < 1GiB\n  - error_rate < 1%\n  - downtime.consume < 1s", "")
	rapid.Check(t, func(t *rapid.T) {
		tp := &tape{events: rapid.SliceOfN(rapid.Custom(anyEvent), 0, 60).Draw(t, "events")}
		r, err := result.Judge(result.Input{Scenario: s, Run: info(), Events: tp.read()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if r.Verdict == oracle.Pass && !r.Complete {
			t.Fatal("a run without an end passes")
		}
		if r.Verdict != oracle.Pass && len(r.Reasons) == 0 {
			t.Fatalf("verdict %s without a reason", r.Verdict)
		}
		if n := len(r.Timeline.Sent); n > result.MaxBuckets+1 {
			t.Fatalf("%d buckets", n)
		}
	})
}

func anyEvent(t *rapid.T) history.Event {
	pick := func(name string, words ...string) string { return rapid.SampledFrom(words).Draw(t, name) }
	return history.Event{
		Kind:    history.Kind(rapid.IntRange(0, 22).Draw(t, "kind")),
		Outcome: queue.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome")),
		Damage:  history.Damage(rapid.IntRange(0, 3).Draw(t, "damage")),
		Ack:     rapid.Bool().Draw(t, "ack"),
		Identity: queue.Identity{Run: uint32(rapid.IntRange(7, 8).Draw(t, "run")), Producer: uint32(rapid.IntRange(0, 2).Draw(t, "producer")),
			Seq: rapid.SampledFrom([]uint64{0, 1, 2, 1023, 1024, math.MaxUint64}).Draw(t, "seq")},
		Attempt:  int32(rapid.IntRange(-1, 3).Draw(t, "attempt")),
		At:       rapid.Int64Range(0, 40*second).Draw(t, "at"),
		Intended: rapid.Int64Range(-second, 40*second).Draw(t, "intended"),
		Value:    rapid.SampledFrom([]float64{0, 1, -1, 1e9}).Draw(t, "value"),
		Client:   pick("client", "", "producer-1"), Group: pick("group", "", "workers", "others"),
		Name: pick("name", "", "rss", "kill leader", "checkout", "observe", "guard"), Node: pick("node", "", "n1", "n2"),
		Detail: pick("detail", "", "leader", "down", "kill n1", "12ms"),
	}
}
