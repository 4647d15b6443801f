package oracle_test

import (
	"iter"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

const benchMessages = 1_000_000

// load is a synthetic run of n messages of four producers: each message is sent, confirmed, delivered a thousand messages
// later, processed and acked. The events are made as they are read, so that the judge alone is what fills memory.
func load(n int, lossPct, dupPct, window int) iter.Seq[*history.Event] {
	return func(yield func(*history.Event) bool) {
		const depth = 1000
		rng := rand.New(rand.NewPCG(1, 2))
		buffer := make([]queue.Identity, 0, depth+window+1)
		var e history.Event
		var at int64
		emit := func(kind history.Kind, id queue.Identity) bool {
			at += 1000
			e = history.Event{Kind: kind, Identity: id, At: at, Outcome: queue.OK}
			switch kind {
			case history.Invoke:
				e.Attempt, e.Client = 1, "producer"
				if id.Seq >= 64 {
					e.Back = 64
				}
			case history.Deliver, history.Processed, history.Settle:
				e.Group, e.Client, e.Ack = "workers", "consumer", true
			}
			return yield(&e)
		}
		consume := func() bool {
			pick := 0
			if window > 0 {
				pick = rng.IntN(min(window, len(buffer)))
			}
			id := buffer[pick]
			buffer[pick] = buffer[0]
			buffer = buffer[1:]
			if lossPct > 0 && rng.IntN(100) < lossPct {
				return true
			}
			ok := emit(history.Deliver, id) && emit(history.Processed, id) && emit(history.Settle, id)
			if ok && dupPct > 0 && rng.IntN(100) < dupPct {
				ok = emit(history.Deliver, id)
			}
			return ok
		}
		for i := range n {
			id := queue.Identity{Run: 1, Producer: uint32(i & 3), Seq: uint64(i >> 2)}
			if !emit(history.Invoke, id) || !emit(history.Outcome, id) {
				return
			}
			buffer = append(buffer, id)
			if len(buffer) > depth+window && !consume() {
				return
			}
		}
		for len(buffer) > 0 {
			if !consume() {
				return
			}
		}
		e = history.Event{Kind: history.Drain, Group: "workers", Outcome: queue.OK, At: at}
		yield(&e)
		e = history.Event{Kind: history.End, At: at}
		yield(&e)
	}
}

var benchLoads = []struct {
	name                  string
	loss, dup, window     int
	lost, doubled, orders bool
}{
	{name: "in-order"},
	{name: "loss-1pct", loss: 1, lost: true},
	{name: "dup-5pct", dup: 5, doubled: true},
	{name: "reorder-1000", window: 1000, orders: true},
}

func BenchmarkJudge(b *testing.B) {
	for _, l := range benchLoads {
		b.Run(l.name, func(b *testing.B) {
			var grown uint64
			for b.Loop() {
				before := heap()
				j := oracle.New(oracle.Config{})
				for e := range load(benchMessages, l.loss, l.dup, l.window) {
					j.Observe(e)
				}
				r := j.Result()
				grown = heap() - before
				runtime.KeepAlive(j)
				a := r.Anomalies
				if (a[oracle.Lost].Total > 0) != l.lost || (a[oracle.Duplicated].Total > 0) != l.doubled ||
					(a[oracle.Reordered].Total > 0) != l.orders || r.Counts.Acked != benchMessages {
					b.Fatalf("judged wrongly: %+v", r)
				}
			}
			report(b, grown)
		})
	}
}

// BenchmarkSource is what making the events costs in BenchmarkJudge.
func BenchmarkSource(b *testing.B) {
	for b.Loop() {
		for e := range load(benchMessages, 0, 0, 0) {
			_ = e
		}
	}
	report(b, 0)
}

// BenchmarkSeedMap is the oracle of the first draft's tests: a map of the IDs received. It knows only how many there are.
func BenchmarkSeedMap(b *testing.B) {
	var grown uint64
	for b.Loop() {
		before := heap()
		seen := make(map[string]bool)
		for e := range load(benchMessages, 0, 0, 0) {
			if e.Kind == history.Deliver {
				seen["msg-"+strconv.Itoa(int(e.Identity.Producer))+"-"+strconv.FormatUint(e.Identity.Seq, 10)] = true
			}
		}
		if len(seen) != benchMessages {
			b.Fatal("judged wrongly")
		}
		grown = heap() - before
		runtime.KeepAlive(seen)
	}
	report(b, grown)
}

func report(b *testing.B, grown uint64) {
	n := float64(benchMessages) * float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "msgs/s")
	b.ReportMetric(float64(grown)/benchMessages, "B/msg")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
