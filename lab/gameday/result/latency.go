package result

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxLatency bounds the histograms, in microseconds: an hour. What is slower counts as an hour in the percentiles, and as
// itself in the maximum.
const maxLatency = 3_600_000_000

// histogram collects latencies in nanoseconds, to three digits.
type histogram struct {
	hdr      *hdrhistogram.Histogram
	min, max int64
	sum      float64
}

func newHistogram(digits int) *histogram {
	return &histogram{hdr: hdrhistogram.New(1, maxLatency, digits), min: math.MaxInt64}
}

func (h *histogram) add(ns int64) {
	ns = max(ns, 0) // clocks of two processes may disagree by a little
	h.min, h.max = min(h.min, ns), max(h.max, ns)
	h.sum += float64(ns)
	// Within bounds by construction, so there is no error to see.
	_ = h.hdr.RecordValue(min((ns+500)/1000, maxLatency))
}

func (h *histogram) count() int64 { return h.hdr.TotalCount() }

func (h *histogram) reset() {
	h.hdr.Reset()
	h.min, h.max, h.sum = math.MaxInt64, 0, 0
}

// percentile is in seconds; p is 0..100. Only of a histogram with a count.
func (h *histogram) percentile(p float64) float64 {
	v := float64(h.hdr.ValueAtPercentile(p)) / 1e6
	return min(max(v, float64(h.min)/1e9), float64(h.max)/1e9)
}

func (h *histogram) mean() float64 { return h.sum / float64(h.count()) / 1e9 }

func (h *histogram) latency() Latency {
	return Latency{
		Count: h.count(), Min: float64(h.min) / 1e9, Mean: h.mean(), Max: float64(h.max) / 1e9,
		P50: h.percentile(50), P90: h.percentile(90), P95: h.percentile(95),
		P99: h.percentile(99), P999: h.percentile(99.9),
	}
}

// merge adds what other has.
func (h *histogram) merge(other *histogram) {
	if other.count() == 0 {
		return
	}
	h.hdr.Merge(other.hdr)
	h.min, h.max = min(h.min, other.min), max(h.max, other.max)
	h.sum += other.sum
}
