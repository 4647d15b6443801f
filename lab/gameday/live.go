package gameday

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/queue"
)

// live keeps the figures of the last seconds, for progress, guards and "until: decided". The verdict never uses it.
type live struct {
	now func() int64

	mu      sync.Mutex
	buckets [liveBuckets]liveBucket
	lag     float64
	lagMax  float64 // since resetLagMax
	probes  map[string]probeState
}

const (
	liveBuckets   = 64
	liveBucket1   = 250 * time.Millisecond
	liveLatencies = 512 // a bucket keeps at most so many latencies: enough for a p99 that people look at
	guardWindow   = 5 * time.Second
)

type liveBucket struct {
	number                         int64 // since the start of the run
	sent, acked, errors, processed int
	latency, lag                   []float64
}

type probeState struct {
	ok     bool // the last answer
	failed int
}

func newLive(now func() int64) *live {
	return &live{now: now, probes: map[string]probeState{}}
}

// Record takes the events that are figures.
func (l *live) Record(e history.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case history.Invoke:
		l.bucket().sent++
		if e.Outcome == queue.OK { // it was found in the queue
			l.bucket().acked++
		}
	case history.Outcome:
		if e.Outcome == queue.OK {
			l.bucket().acked++
		} else {
			l.bucket().errors++
		}
	case history.Deliver:
		if b := l.bucket(); len(b.latency) < liveLatencies && e.Damage == history.Sound {
			b.latency = append(b.latency, float64(l.now()-e.Intended)/1e9)
		}
	case history.Processed:
		l.bucket().processed++
	case history.Sample:
		if e.Name == "lag" {
			l.lag, l.lagMax = e.Value, max(l.lagMax, e.Value)
			if b := l.bucket(); len(b.lag) < liveLatencies {
				b.lag = append(b.lag, e.Value)
			}
		}
	case history.Probe:
		p := l.probes[e.Name]
		if p.ok = e.Value == 1; !p.ok {
			p.failed++
		}
		l.probes[e.Name] = p
	}
}

// bucket is the current one; the caller holds the lock.
func (l *live) bucket() *liveBucket {
	n := l.now() / int64(liveBucket1)
	b := &l.buckets[n%liveBuckets]
	if b.number != n {
		*b = liveBucket{number: n, latency: b.latency[:0], lag: b.lag[:0]}
	}
	return b
}

// window adds up the full buckets of a span that ended so many buckets ago; seconds is how much of it the run has had. The
// caller holds the lock.
func (l *live) window(span time.Duration, ago int64) (sum liveBucket, seconds float64) {
	n := l.now()/int64(liveBucket1) - ago
	count := int64(span / liveBucket1)
	for i := max(0, n-count); i < n; i++ {
		b := &l.buckets[i%liveBuckets]
		seconds += liveBucket1.Seconds()
		if b.number != i {
			continue
		}
		sum.sent += b.sent
		sum.acked += b.acked
		sum.errors += b.errors
		sum.processed += b.processed
		sum.latency = append(sum.latency, b.latency...)
		sum.lag = append(sum.lag, b.lag...)
	}
	return sum, seconds
}

// perSecond is a rate in each of the full seconds of the guards' window; the caller holds the lock.
func (l *live) perSecond(count func(liveBucket) int) (rates []float64) {
	const second = int64(time.Second / liveBucket1)
	for ago := int64(0); ago < int64(guardWindow/liveBucket1); ago += second {
		if sum, seconds := l.window(time.Second, ago); seconds == 1 {
			rates = append(rates, float64(count(sum)))
		}
	}
	return rates
}

func (l *live) rates() Rates {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum, seconds := l.window(time.Second, 0)
	if seconds == 0 {
		return Rates{}
	}
	return Rates{
		Sent: float64(sum.sent) / seconds, Acked: float64(sum.acked) / seconds,
		Errors: float64(sum.errors) / seconds, Processed: float64(sum.processed) / seconds,
		P99: quantile(sum.latency, 0.99), Lag: l.lag,
	}
}

// resetLagMax begins a new span for maxLag and returns the highest lag of the last one.
func (l *live) resetLagMax() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.lagMax
	l.lagMax = l.lag
	return last
}

// Value answers guards from the last seconds. Phases have no meaning here.
func (l *live) Value(q criteria.Query) (float64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if name, ok := q.Probe(); ok {
		return l.probeValue(name, strings.TrimPrefix(q.Metric, "probe."+name+"."))
	}
	sum, _ := l.window(guardWindow, 0)
	switch q.Metric {
	case "error_rate":
		outcomes := sum.acked + sum.errors
		return float64(sum.errors) / float64(max(1, outcomes)), outcomes > 0
	case "rate.sent":
		return aggregate(q.Agg, l.perSecond(func(b liveBucket) int { return b.sent }))
	case "rate.acked":
		return aggregate(q.Agg, l.perSecond(func(b liveBucket) int { return b.acked }))
	case "rate.processed":
		return aggregate(q.Agg, l.perSecond(func(b liveBucket) int { return b.processed }))
	case "lag":
		return aggregate(q.Agg, sum.lag)
	case "latency.e2e":
		return aggregate(q.Agg, sum.latency)
	}
	return 0, false
}

func (l *live) probeValue(name, what string) (float64, bool) {
	p, ok := l.probes[name]
	switch what {
	case "ok":
		return btof(p.ok), ok
	case "failed":
		return float64(p.failed), ok
	}
	return 0, false
}

func btof(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// aggregate knows the aggregations of the criteria catalog; of no values, and by another word, there is nothing to know.
func aggregate(agg string, values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	switch agg {
	case "p50":
		return quantile(values, 0.5), true
	case "p90":
		return quantile(values, 0.9), true
	case "p95":
		return quantile(values, 0.95), true
	case "p99":
		return quantile(values, 0.99), true
	case "p999":
		return quantile(values, 0.999), true
	case "max":
		return slices.Max(values), true
	case "min":
		return slices.Min(values), true
	case "last":
		return values[len(values)-1], true
	case "mean":
		var sum float64
		for _, v := range values {
			sum += v
		}
		return sum / float64(len(values)), true
	}
	return 0, false
}

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(q*float64(len(values))))]
}
