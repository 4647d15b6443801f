package workload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// BenchConfig describes a benchmark: a closed loop that keeps InFlight messages on the way. Where consumers are slower than
// producers, these wait while the lag is above 16 times what is in flight (and above 1000), so that a long benchmark does not
// measure how a queue fills the memory. Queue is needed, and a producer.
type BenchConfig struct {
	// Queue is the queue as its driver opened it; Bench wraps it with history.Hooks if there is a Recorder. It stays open.
	Queue queue.Queue
	// Recorder takes the events of a recorded benchmark, to see what recording costs. Nil: nothing is recorded.
	Recorder history.Recorder
	// Start is the recorder's start. Zero: now.
	Start time.Time
	// Run is in every envelope; with a Recorder it must not be 0.
	Run uint32
	// Topic and Group default to "havoq".
	Topic, Group string
	// Producers and Consumers: as in Config. Without consumers only sending is measured.
	Producers, Consumers int
	// InFlight is how many messages each producer keeps on the way. 0: 1024. With 1, one at a time.
	InFlight int
	Size     int
	Keys     int
	Seed     uint64
	// WarmUp runs before the measurement. Messages is how many messages are measured; 0: as many as come in Duration, and
	// that is 10 s if it is 0, too. With both, Duration is the limit.
	WarmUp   time.Duration
	Messages int64
	Duration time.Duration
	// Progress is called every second, and must not block.
	Progress func(BenchProgress)
	Logger   *slog.Logger
}

// BenchProgress is one second of a benchmark.
type BenchProgress struct {
	Elapsed           time.Duration // since the benchmark's start, warm-up included
	WarmUp            bool
	SentPerSecond     float64
	ReceivedPerSecond float64
	Stats             Stats
}

const (
	benchDuration  = 10 * time.Second
	benchLimit     = 10 * time.Minute // of a number of messages, where the caller gives no limit
	benchStep      = 5 * time.Millisecond
	benchTail      = 10 * time.Second // for the last messages to arrive: without progress
	benchStopLimit = 10 * time.Second
)

// Bench runs a benchmark and returns what it measured. When ctx ends first, the result is of what there was, and the error is
// ctx's. Errors of single messages are figures in the result and no error.
func Bench(ctx context.Context, cfg BenchConfig) (BenchResult, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return BenchResult{}, err
	}
	m := newMeasure(cfg.Start)
	if cfg.Messages > 0 && cfg.WarmUp == 0 {
		m.budget.Store(0) // until the measurement begins
	}
	w, err := start(ctx, cfg.workload(), m)
	if err != nil {
		return BenchResult{}, err
	}
	b := &bench{cfg: cfg, w: w, m: m, began: time.Now()}
	b.reported = b.began
	err = b.measure(ctx)
	return b.finish(ctx, err)
}

func (c BenchConfig) withDefaults() (BenchConfig, error) {
	if c.Queue == nil {
		return c, errors.New("workload: bench: Queue is nil: open one with a driver")
	}
	if c.Producers < 1 {
		return c, fmt.Errorf("workload: bench: Producers is %d: use 1 or more", c.Producers)
	}
	if c.Messages < 0 || c.Duration < 0 || c.WarmUp < 0 {
		return c, fmt.Errorf("workload: bench: Messages is %d, Duration %s, WarmUp %s: none may be negative",
			c.Messages, c.Duration, c.WarmUp)
	}
	if c.Start.IsZero() {
		c.Start = time.Now()
	}
	if c.Duration == 0 {
		c.Duration = benchDuration
		if c.Messages > 0 {
			c.Duration = benchLimit
		}
	}
	return c, nil
}

func (c BenchConfig) workload() Config {
	q := c.Queue
	if c.Recorder != nil {
		q = queue.Wrap(q, history.Hooks(history.Config{
			Recorder: c.Recorder, Run: c.Run, Start: c.Start, Stream: func(string) uint16 { return 0 },
		}))
	}
	return Config{
		Queue: q, Recorder: c.Recorder, Run: c.Run, Start: c.Start, Topic: c.Topic, Group: c.Group,
		Producers: c.Producers, Consumers: c.Consumers, Size: c.Size, Keys: c.Keys, Window: c.InFlight,
		Seed: c.Seed, Logger: c.Logger,
	}
}

// bench is a benchmark that runs.
type bench struct {
	cfg      BenchConfig
	w        *Workload
	m        *measure
	began    time.Time
	before   Stats // when the measurement began
	reported time.Time
	last     Stats // at the last report
}

// measure warms up and lets the window pass.
func (b *bench) measure(ctx context.Context) error {
	if err := b.until(ctx, b.cfg.WarmUp, nil); err != nil {
		return err
	}
	if b.cfg.Messages == 0 {
		b.begin()
		err := b.until(ctx, b.cfg.Duration, nil)
		b.m.to.Store(int64(b.m.now()))
		return err
	}
	// What is counted by number must not be mixed with what the warm-up left behind.
	b.m.budget.Store(0)
	if err := b.until(ctx, benchTail, b.quiet); err != nil {
		return err
	}
	b.begin()
	b.m.budget.Store(b.cfg.Messages)
	for _, p := range b.w.producers {
		p.inbox.nudge()
	}
	err := b.until(ctx, b.cfg.Duration, func() bool { return b.m.budget.Load() == 0 && b.quiet() })
	b.m.to.Store(int64(b.m.now()))
	return err
}

func (b *bench) begin() {
	b.before = b.w.Stats()
	b.m.from.Store(int64(b.m.now()))
}

// quiet: everything that was sent has its result, and was received where there is somebody to receive it.
func (b *bench) quiet() bool {
	s := b.w.Stats()
	return s.InFlight+s.Retrying == 0 && (len(b.w.consumers) == 0 || s.Lag == 0 && s.InHand == 0)
}

// until waits for a time, or less if enough says so, and reports progress meanwhile.
func (b *bench) until(ctx context.Context, d time.Duration, enough func() bool) error {
	end := time.Now().Add(d)
	for {
		left := time.Until(end)
		if left <= 0 || enough != nil && enough() {
			return nil
		}
		if !wait(ctx, min(left, benchStep)) {
			return context.Cause(ctx)
		}
		b.report()
	}
}

func (b *bench) report() {
	now := time.Now()
	passed := now.Sub(b.reported)
	if b.cfg.Progress == nil || passed < time.Second {
		return
	}
	s := b.w.Stats()
	b.cfg.Progress(BenchProgress{
		Elapsed: now.Sub(b.began), WarmUp: int64(b.m.now()) < b.m.from.Load(),
		SentPerSecond:     float64(s.Acked-b.last.Acked) / passed.Seconds(),
		ReceivedPerSecond: float64(s.Delivered-b.last.Delivered) / passed.Seconds(),
		Stats:             s,
	})
	b.reported, b.last = now, s
}

// finish stops the load and makes the result. The tail is received, so that the next benchmark finds an empty queue, but it is
// not measured.
func (b *bench) finish(ctx context.Context, failure error) (BenchResult, error) {
	after := b.w.Stats()
	ended := b.m.to.Load()
	if b.cfg.Messages > 0 {
		ended = b.m.last.Load()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), benchStopLimit)
	defer cancel()
	err := b.w.StopProducers(ctx)
	left := int64(-1)
	if failure == nil && len(b.w.consumers) > 0 && b.w.cfg.Queue.Caps().Depth {
		left = b.w.drain(ctx, benchTail).Left
	}
	err = errors.Join(failure, err, b.w.Close(context.WithoutCancel(ctx)))
	r := BenchResult{
		Driver: b.cfg.Queue.Caps().Driver, Producers: b.cfg.Producers, Consumers: b.cfg.Consumers,
		InFlight: b.w.cfg.Window, Size: b.cfg.Size, Recorded: b.cfg.Recorder != nil,
		Sent: b.m.sent.Load(), Received: b.m.got.Load(), Left: left,
		FailedAttempts:  after.FailedAttempts - b.before.FailedAttempts,
		UnknownAttempts: after.UnknownAttempts - b.before.UnknownAttempts,
		ReceiveErrors:   after.ReceiveErrors - b.before.ReceiveErrors,
		SettleErrors:    after.SettleErrors - b.before.SettleErrors,
		Damaged:         after.Damaged - b.before.Damaged,
		Foreign:         after.Foreign - b.before.Foreign,
		LastError:       after.LastError,
	}
	if span := time.Duration(ended - b.m.from.Load()); span > 0 {
		r.Took = span
		r.SentPerSecond = float64(r.Sent) / span.Seconds()
		r.ReceivedPerSecond = float64(r.Received) / span.Seconds()
	}
	var acks, ends []*histogram
	for _, p := range b.w.producers {
		acks = append(acks, p.latency)
	}
	for _, c := range b.w.consumers {
		ends = append(ends, c.latency)
	}
	r.Ack, r.EndToEnd = latencyOf(acks), latencyOf(ends)
	return r, err
}

// latencyOf merges the histograms of goroutines that have ended.
func latencyOf(histograms []*histogram) Latency {
	all := hdrhistogram.New(1, latencyMost, latencyDigits)
	for _, h := range histograms {
		all.Merge(h.values)
	}
	if all.TotalCount() == 0 {
		return Latency{}
	}
	at := func(percentile float64) time.Duration {
		return time.Duration(all.ValueAtPercentile(percentile)) * latencyUnit
	}
	return Latency{
		Count: all.TotalCount(), Min: time.Duration(all.Min()) * latencyUnit, Mean: time.Duration(all.Mean() * float64(latencyUnit)),
		P50: at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9), Max: time.Duration(all.Max()) * latencyUnit,
	}
}
