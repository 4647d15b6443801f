package workload

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// measure is what a benchmark hangs into a workload. A nil measure measures nothing and costs a comparison.
type measure struct {
	start    time.Time
	from, to atomic.Int64 // what is measured, in nanoseconds since start
	budget   atomic.Int64 // new messages that producers may still make; unlimited: any number

	sent, got atomic.Int64 // in the window
	last      atomic.Int64 // when the last result in the window came

	mu         sync.Mutex
	histograms []*histogram
}

const unlimited = math.MaxInt64

func newMeasure(start time.Time) *measure {
	m := &measure{start: start}
	m.from.Store(math.MaxInt64)
	m.to.Store(math.MaxInt64)
	m.budget.Store(unlimited)
	return m
}

// histogram is written by one goroutine and read when that has ended.
type histogram struct {
	values *hdrhistogram.Histogram
}

const (
	latencyUnit   = time.Microsecond
	latencyMost   = int64(10 * time.Minute / latencyUnit)
	latencyDigits = 3
)

func (m *measure) histogram() *histogram {
	if m == nil {
		return nil
	}
	h := &histogram{hdrhistogram.New(1, latencyMost, latencyDigits)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.histograms = append(m.histograms, h)
	return h
}

func (h *histogram) record(d time.Duration) {
	// Values beyond ten minutes count as ten minutes; below a microsecond as one. Then there is no error.
	_ = h.values.RecordValue(min(max(1, int64(d/latencyUnit)), latencyMost))
}

// now is 0 where nothing is measured: a clock costs some 50 ns.
func (m *measure) now() time.Duration {
	if m == nil {
		return 0
	}
	return time.Since(m.start)
}

func (m *measure) inside(at time.Duration) bool {
	return int64(at) >= m.from.Load() && int64(at) < m.to.Load()
}

func (m *measure) acked(h *histogram, intended, at time.Duration) {
	if m == nil || !m.inside(at) {
		return
	}
	h.record(at - intended)
	m.sent.Add(1)
	m.last.Store(int64(at))
}

func (m *measure) received(h *histogram, sent time.Time, at time.Duration) {
	if m == nil || !m.inside(at) {
		return
	}
	h.record(at - sent.Sub(m.start))
	m.got.Add(1)
	m.last.Store(int64(at))
}

// takeOne takes one message from the budget.
func (m *measure) takeOne() bool {
	if m == nil {
		return true
	}
	for {
		left := m.budget.Load()
		if left == unlimited {
			return true
		}
		if left <= 0 {
			return false
		}
		if m.budget.CompareAndSwap(left, left-1) {
			return true
		}
	}
}

// full says that consumers are so far behind that a closed loop would only fill the queue.
func (m *measure) full(w *Workload) bool {
	if m == nil || len(w.consumers) == 0 {
		return false
	}
	var behind int64
	for _, t := range w.tracks {
		_, lag := t.lags()
		behind += lag
	}
	return behind > max(1000, 16*int64(w.cfg.Window)*int64(w.cfg.Producers))
}
