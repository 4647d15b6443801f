package oracle_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// shape is a synthetic run: each message is sent, confirmed, and consumed when a thousand more were sent.
type shape struct {
	loss, dup int // percent
	window    int // messages are consumed in a random order within so many
	told      int // events of a message: 2 (found in the queue, work done) or 5 (invoke, outcome, deliver, processed, settle)
}

const (
	inFlight  = 1000
	producers = 4
)

// run hands the events of n messages to observe. Events are reused, so that making them costs little.
func (s shape) run(n int, observe func(*history.Event)) {
	rng := rand.New(rand.NewPCG(1, 2))
	ring := make([]int, inFlight+max(s.window, 1)) // what waits, in the order of sending but for the window
	head, waiting := 0, 0
	var at int64
	invoke := history.Event{Kind: history.Invoke, Attempt: 1, Client: "producer", Identity: queue.Identity{Run: 1}}
	outcome := history.Event{Kind: history.Outcome, Attempt: 1, Client: "producer", Outcome: queue.OK, Identity: queue.Identity{Run: 1}}
	consumed := [...]history.Event{
		{Kind: history.Deliver, Group: "workers", Client: "consumer", Attempt: 1, Identity: queue.Identity{Run: 1}},
		{Kind: history.Processed, Group: "workers", Client: "consumer", Identity: queue.Identity{Run: 1}},
		{Kind: history.Settle, Group: "workers", Client: "consumer", Ack: true, Outcome: queue.OK, Identity: queue.Identity{Run: 1}},
	}
	tell := func(e *history.Event, i int) {
		at += 1000
		e.At = at
		e.Identity.Producer, e.Identity.Seq = uint32(i%producers), uint64(i/producers)
		observe(e)
	}
	consume := func() {
		pick := head
		if s.window > 1 {
			if pick += rng.IntN(min(s.window, waiting)); pick >= len(ring) {
				pick -= len(ring)
			}
		}
		i := ring[pick]
		ring[pick] = ring[head]
		if head++; head == len(ring) {
			head = 0
		}
		waiting--
		if s.loss > 0 && rng.IntN(100) < s.loss {
			return
		}
		times := 1
		if s.dup > 0 && rng.IntN(100) < s.dup {
			times = 2
		}
		for range times {
			if s.told == 2 {
				tell(&consumed[1], i)
				continue
			}
			for k := range consumed {
				tell(&consumed[k], i)
			}
		}
	}
	for i := range n {
		if i >= 64*producers {
			invoke.Back = 64
		}
		if s.told == 2 {
			invoke.Outcome = queue.OK
			tell(&invoke, i)
		} else {
			tell(&invoke, i)
			tell(&outcome, i)
		}
		if waiting == len(ring) {
			consume()
		}
		tail := head + waiting
		if tail >= len(ring) {
			tail -= len(ring)
		}
		ring[tail] = i
		waiting++
	}
	for waiting > 0 {
		consume()
	}
	observe(&history.Event{Kind: history.Drain, Group: "workers", Outcome: queue.OK, At: at})
	observe(&history.Event{Kind: history.End, At: at})
}

// start tells the sources of a run whose messages have two events.
func (s shape) start(j *oracle.Judge) {
	if s.told == 2 {
		j.Observe(&history.Event{Kind: history.Source, Name: "topic orders", At: 1})
		j.Observe(&history.Event{Kind: history.Source, Name: "topic invoices", Group: "workers", At: 1})
	}
}

// load is such a run as a sequence, each event a message's own.
func load(n int, loss, dup, window int) iter.Seq[*history.Event] {
	return func(yield func(*history.Event) bool) {
		more := true
		shape{loss: loss, dup: dup, window: window, told: 5}.run(n, func(e *history.Event) {
			c := *e
			more = more && yield(&c)
		})
	}
}

var benchShapes = []struct {
	name string
	shape
}{
	{"in-order", shape{}},
	{"loss-1pct", shape{loss: 1}},
	{"dup-5pct", shape{dup: 5}},
	{"reorder-1000", shape{window: 1000}},
}

// BenchmarkJudge judges messages of two events: that it was found in the queue, and that the work on it was done. That is what
// the sources of somebody's own application tell. The time to make the events is in it.
func BenchmarkJudge(b *testing.B) {
	for _, s := range benchShapes {
		s.told = 2
		b.Run(s.name, func(b *testing.B) { s.judge(b) })
	}
}

// BenchmarkJudgeClient judges messages of five events: invoke, outcome, deliver, processed, settle. That is what a recorded
// client of the queue tells.
func BenchmarkJudgeClient(b *testing.B) {
	for _, s := range benchShapes {
		s.told = 5
		b.Run(s.name, func(b *testing.B) { s.judge(b) })
	}
}

// judge judges b.N messages by one judge, at least 100,000.
func (s shape) judge(b *testing.B) {
	n := max(b.N, 100_000)
	before := heap()
	j := oracle.New(oracle.Config{})
	s.start(j)
	begun := cpuTime()
	s.run(n, j.Observe)
	r := j.Result()
	spent := cpuTime() - begun
	grown := heap() - before
	runtime.KeepAlive(j)
	a := r.Anomalies
	if (a[oracle.Lost].Total > 0) != (s.loss > 0) || (a[oracle.Duplicated].Total > 0) != (s.dup > 0) ||
		(a[oracle.Reordered].Total > 0) != (s.window > 1) || r.Counts.Acked != int64(n) ||
		r.Counts.Processed != int64(n)-a[oracle.Lost].Total || (r.Verdict == oracle.Pass) != (s.loss == 0) {
		b.Fatalf("judged wrongly: %v %v %+v %+v", r.Verdict, r.Reasons, r.Counts, a)
	}
	report(b, n, spent, grown)
	if s.loss > 0 {
		b.ReportMetric((float64(grown)-float64(s.withoutLoss(n)))/float64(a[oracle.Lost].Total), "B/lost")
	}
}

// withoutLoss is the memory of a judge of the same run without its losses: what is beyond it is the price of these.
func (s shape) withoutLoss(n int) uint64 {
	s.loss = 0
	before := heap()
	j := oracle.New(oracle.Config{})
	s.start(j)
	s.run(n, j.Observe)
	grown := heap() - before
	runtime.KeepAlive(j)
	return grown
}

// BenchmarkSource is what making the events costs in BenchmarkJudge and BenchmarkJudgeClient.
func BenchmarkSource(b *testing.B) {
	for _, told := range []int{2, 5} {
		b.Run(fmt.Sprint(told, "-events"), func(b *testing.B) {
			var seen int
			begun := cpuTime()
			shape{told: told}.run(b.N, func(*history.Event) { seen++ })
			report(b, b.N, cpuTime()-begun, 0)
		})
	}
}

// BenchmarkSeedMap is the oracle of the first draft's tests: a map of the IDs received. It knows only how many there are.
func BenchmarkSeedMap(b *testing.B) {
	n := max(b.N, 100_000)
	before := heap()
	seen := make(map[string]bool)
	begun := cpuTime()
	shape{told: 2}.run(n, func(e *history.Event) {
		if e.Kind == history.Processed {
			seen["msg-"+strconv.Itoa(int(e.Identity.Producer))+"-"+strconv.FormatUint(e.Identity.Seq, 10)] = true
		}
	})
	spent := cpuTime() - begun
	if len(seen) != n {
		b.Fatal("judged wrongly")
	}
	grown := heap() - before
	runtime.KeepAlive(seen)
	report(b, n, spent, grown)
}

// report tells the rate on one core: by processor time, so that what else the machine does counts less.
func report(b *testing.B, n int, spent time.Duration, grown uint64) {
	b.ReportMetric(0, "ns/op") // it is of b.N, which may be less than was judged
	b.ReportMetric(float64(spent.Nanoseconds())/float64(n), "ns/msg")
	b.ReportMetric(float64(n)/spent.Seconds(), "msgs/s")
	b.ReportMetric(float64(grown)/float64(n), "B/msg")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
