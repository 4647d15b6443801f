package result

import "math"

// widths are the bucket widths to choose from, in seconds: such that the ticks of a time axis fall on them.
func widths() []float64 {
	return []float64{0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600}
}

// bucketWidth is the smallest width that cuts the run into at most MaxBuckets.
func bucketWidth(end int64) float64 {
	seconds := float64(end) / 1e9
	for _, w := range widths() {
		if seconds <= w*MaxBuckets {
			return w
		}
	}
	return math.Ceil(seconds/MaxBuckets/3600) * 3600
}

// timeline fills the series bucket by bucket. What is recorded late, after its bucket was closed, counts in the open one:
// recorders keep events in order to within their own locks.
type timeline struct {
	Timeline
	end     int64
	width   int64
	buckets int
	current bucket
	probes  map[string]*probeSeries
}

type bucket struct {
	index                          int
	sent, acked, errors, processed int64
	e2e                            *histogram
}

type probeSeries struct{ ok, asked int64 }

func newTimeline(end int64) *timeline {
	width := bucketWidth(end)
	t := &timeline{end: end, width: int64(width * 1e9), probes: map[string]*probeSeries{}}
	t.Bucket = width
	t.buckets = int((end + t.width - 1) / t.width)
	t.current.e2e = newHistogram(2)
	t.Probes = map[string][]*float64{}
	return t
}

func (t *timeline) bucket() *bucket { return &t.current }

// advance closes the buckets that ended before at; lag is as it was until now.
func (t *timeline) advance(at, lag int64) {
	for t.current.index < t.buckets-1 && at >= int64(t.current.index+1)*t.width {
		t.flush(lag)
	}
}

func (t *timeline) close(lag int64) {
	for t.current.index < t.buckets {
		t.flush(lag)
	}
}

func (t *timeline) flush(lag int64) {
	b := &t.current
	seconds := t.seconds(b.index)
	t.Sent = append(t.Sent, float64(b.sent)/seconds)
	t.Acked = append(t.Acked, float64(b.acked)/seconds)
	t.Errors = append(t.Errors, float64(b.errors)/seconds)
	t.Processed = append(t.Processed, float64(b.processed)/seconds)
	n := float64(lag)
	t.Lag = append(t.Lag, &n)
	var p50, p99 *float64
	if b.e2e.count() > 0 {
		a, z := b.e2e.percentile(50), b.e2e.percentile(99)
		p50, p99 = &a, &z
		b.e2e.reset()
	}
	t.P50, t.P99 = append(t.P50, p50), append(t.P99, p99)
	t.flushProbes()
	t.current = bucket{index: b.index + 1, e2e: b.e2e}
}

// seconds is how long a bucket is. The last one is cut off where the run ended, and counts at least as half a bucket, so that
// a handful of late events does not make a spike.
func (t *timeline) seconds(index int) float64 {
	from := int64(index) * t.width
	return max(float64(min(t.end-from, t.width)), float64(t.width)/2) / 1e9
}

func (t *timeline) probe(name string, ok bool) {
	p := t.probes[name]
	if p == nil {
		p = &probeSeries{}
		t.probes[name] = p
		t.Probes[name] = make([]*float64, t.current.index) // not asked until now
	}
	p.asked++
	if ok {
		p.ok++
	}
}

func (t *timeline) flushProbes() {
	for name, p := range t.probes {
		var share *float64
		if p.asked > 0 {
			s := float64(p.ok) / float64(p.asked)
			share = &s
		}
		t.Probes[name] = append(t.Probes[name], share)
		*p = probeSeries{}
	}
}
