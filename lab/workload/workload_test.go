package workload_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

const run = 7

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is a recorded memory queue in a synctest bubble. Hooks given to it are below the history, as a fault would be.
type bed struct {
	*testing.T
	start  time.Time
	memory *memory.Queue
	queue  queue.Queue
	events *history.Memory
}

func newBed(t *testing.T, c memory.Config, below ...queue.Hooks) *bed {
	b := &bed{T: t, start: time.Now(), memory: memory.New(c)}
	b.events = &history.Memory{Start: b.start}
	b.queue = queue.Wrap(b.memory, append([]queue.Hooks{history.Hooks(history.Config{
		Recorder: b.events, Run: run, Start: b.start, Stream: func(string) uint16 { return 0 },
	})}, below...)...)
	return b
}

// begin starts a load with one producer and one consumer, unless cfg says otherwise.
func (b *bed) begin(cfg workload.Config) *workload.Workload {
	b.Helper()
	cfg.Queue, cfg.Recorder, cfg.Run, cfg.Start = b.queue, b.events, run, b.start
	if cfg.Producers == 0 {
		cfg.Producers = 1
	}
	if cfg.Size == 0 {
		cfg.Size = 16
	}
	w, err := workload.Start(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// end stops, drains and closes, and checks the accounts.
func (b *bed) end(w *workload.Workload) (workload.Stats, workload.DrainResult) {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	if err := w.StopProducers(ctx); err != nil {
		b.Error(err)
	}
	drained := w.Drain(ctx, 30*time.Second)
	b.close(w)
	s := w.Stats()
	if s.Offered != s.Acked+s.Failed+s.InDoubt {
		b.Errorf("offered %d is not acked %d + failed %d + in doubt %d", s.Offered, s.Acked, s.Failed, s.InDoubt)
	}
	if s.Scheduled != s.Offered+s.NotSent {
		b.Errorf("scheduled %d is not offered %d + not sent %d", s.Scheduled, s.Offered, s.NotSent)
	}
	return s, drained
}

func (b *bed) close(w *workload.Workload) {
	b.Helper()
	if err := w.Close(context.WithoutCancel(b.Context())); err != nil {
		b.Error(err)
	}
}

func (b *bed) of(kind history.Kind) (events []history.Event) {
	for e := range b.events.Events() {
		if e.Kind == kind {
			events = append(events, e)
		}
	}
	return events
}

func TestRateIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Producers: 3, Consumers: 2, Rate: 300, Keys: 10})
		bubble.Sleep(10 * time.Second)
		s, drained := b.end(w)
		// Messages 0 to 3000 are due in [0 s, 10 s].
		if s.Offered != 3001 || s.Acked != 3001 || s.Processed != 3001 || s.Lag != 0 || !drained.Proven {
			t.Errorf("%+v, %s", s, drained)
		}
		seen := map[int64]bool{}
		for _, e := range b.of(history.Invoke) {
			seen[e.Intended] = true
			if late := time.Duration(e.At - e.Intended); late < 0 || late > 5*time.Millisecond {
				t.Fatalf("%v was sent %s after its time", e.Identity, late)
			}
		}
		for i := range int64(3001) {
			if at := i * int64(time.Second) / 300; !seen[at] && !seen[at-1] && !seen[at+1] {
				t.Fatalf("no message at %s", time.Duration(at))
			}
		}
		if len(seen) != 3001 {
			t.Errorf("%d different times", len(seen))
		}
	})
}

func TestSetRateBendsTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Producers: 4, Consumers: 1, Rate: 100})
		bubble.Sleep(2005 * time.Millisecond) // half way to message 201
		if err := w.SetRate(1000); err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(1 * time.Second)
		if err := w.SetRate(10); err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(10 * time.Second)
		s, _ := b.end(w)
		if want := int64(201 + 1000 + 100); s.Offered < want-1 || s.Offered > want+1 {
			t.Errorf("offered %d, not about %d", s.Offered, want)
		}
		last, gaps := int64(-1), map[time.Duration]int{}
		var all []int64
		for _, e := range b.of(history.Deliver) {
			all = append(all, e.Intended)
		}
		slices.Sort(all)
		for i, at := range all {
			if i > 0 {
				gaps[time.Duration(at-last).Round(100*time.Microsecond)]++
			}
			last = at
		}
		// The step over each change has a part at the old rate and a part at the new one.
		for gap, count := range map[time.Duration]int{10 * time.Millisecond: 200, time.Millisecond: 999, 100 * time.Millisecond: 99} {
			if gaps[gap] < count-1 || gaps[gap] > count+1 {
				t.Errorf("%d gaps of %s, not %d: %v", gaps[gap], gap, count, gaps)
			}
		}
	})
}

func TestSetRateCountsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Consumers: 1, Rate: 0.01})
		bubble.Sleep(100 * time.Millisecond)
		if err := w.SetRate(100); err != nil {
			t.Fatal(err)
		}
		bubble.Sleep(505 * time.Millisecond)
		if s := w.Stats(); s.Offered != 51 { // message 0 and half a second
			t.Errorf("%+v", s)
		}
		b.end(w)
	})
}

// A track's numbers are in the history before they are used, so that a history that ends with a kill -9 can be judged.
func TestNumbersAreReservedBeforeTheyAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		w := b.begin(workload.Config{Producers: 2, Rate: 10_000})
		bubble.Sleep(time.Second)
		b.end(w)
		reserved, count := map[queue.Track]uint64{}, 0
		for e := range b.events.Events() {
			switch track := e.Identity.Track(); e.Kind {
			case history.Reserve:
				if count++; e.Identity.Seq != reserved[track] || e.Identity.Run != run || e.Client == "" || e.Name != "havoq" {
					t.Errorf("%+v", e)
				}
				reserved[track] += uint64(e.Value)
			case history.Invoke:
				if e.Identity.Seq >= reserved[track] {
					t.Fatalf("%+v was sent before its number was reserved", e.Identity)
				}
			}
		}
		if count != 4 {
			t.Errorf("%d reservations for 5000 messages a producer", count)
		}
	})
}

func TestSetRateRefusesNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		open := b.begin(workload.Config{Rate: 10})
		for _, rate := range []float64{0, -1, 1e12} {
			if open.SetRate(rate) == nil {
				t.Errorf("took a rate of %v", rate)
			}
		}
		b.close(open)
		closed := b.begin(workload.Config{Topic: "other"})
		if closed.SetRate(5) == nil {
			t.Error("a closed loop took a rate")
		}
		b.close(closed)
	})
}

// stall lets no Produce through while the gate is shut.
func stall(from, to time.Duration, start func() time.Time) queue.Hooks {
	return queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
		if at := time.Since(start()); at >= from && at < to {
			bubble.Sleep(to - at)
		}
		next(ctx, batch, done)
	}}
}

func TestNoCoordinatedOmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := newBed(t, memory.Config{}, stall(2*time.Second, 4*time.Second, func() time.Time { return start }))
		w := b.begin(workload.Config{Consumers: 1, Rate: 1000, Backlog: 5000})
		bubble.Sleep(6 * time.Second)
		s, _ := b.end(w)
		if s.NotSent != 0 || s.Offered != 6001 {
			t.Errorf("%+v", s)
		}
		slow, worst := 0, time.Duration(0)
		for _, e := range b.of(history.Deliver) {
			latency := time.Duration(e.At - e.Intended)
			if worst = max(worst, latency); latency > 100*time.Millisecond {
				slow++
			}
		}
		if worst < 1990*time.Millisecond || worst > 2100*time.Millisecond {
			t.Errorf("the worst latency is %s, not the stall's 2 s", worst)
		}
		// Every message that was due in the stall waited, up to the last 100 ms of it.
		if slow < 1850 || slow > 1950 {
			t.Errorf("%d slow messages", slow)
		}
	})
}

func TestBacklogIsBoundedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := newBed(t, memory.Config{}, stall(time.Second, 11*time.Second, func() time.Time { return start }))
		w := b.begin(workload.Config{Consumers: 1, Rate: 1000, Backlog: 2000})
		bubble.Sleep(10 * time.Second)
		if s := w.Stats(); s.Waiting != 2000 || s.NotSent < 6500 || s.Scheduled != s.Offered+s.Waiting+s.NotSent {
			t.Errorf("in the stall: %+v", s)
		}
		bubble.Sleep(5 * time.Second)
		s, _ := b.end(w)
		var told int64
		var last time.Duration
		for i, e := range b.of(history.NotSent) {
			told += int64(e.Value)
			if e.Client != "producer-1" || e.Detail == "" {
				t.Errorf("%+v", e)
			}
			if i > 0 && time.Duration(e.At)-last < time.Second {
				t.Errorf("events %s apart", time.Duration(e.At)-last)
			}
			last = time.Duration(e.At)
		}
		if told != s.NotSent || told == 0 {
			t.Errorf("events tell of %d not sent, the accounts of %d", told, s.NotSent)
		}
	})
}

func TestStopCountsTheBacklogAsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := newBed(t, memory.Config{}, stall(time.Second, 3*time.Second, func() time.Time { return start }))
		w := b.begin(workload.Config{Consumers: 1, Rate: 1000})
		bubble.Sleep(2 * time.Second)
		s, _ := b.end(w)
		if s.NotSent < 900 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestBodiesKeysAndIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[string]queue.Message{}
		b := newBed(t, memory.Config{}, queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			for _, m := range batch {
				seen[m.ID] = m
			}
			bubble.Sleep(50 * time.Millisecond) // so that the time of the call is not the intended one
			next(ctx, batch, done)
		}})
		w := b.begin(workload.Config{Producers: 1, Consumers: 1, Rate: 100, Keys: 3, Size: 33, Seed: 1})
		bubble.Sleep(1200 * time.Millisecond)
		b.end(w)
		bodies, keys := map[string]bool{}, map[string]uint64{}
		for seq := range uint64(101) {
			id := fmt.Sprintf("7-1-%d", seq)
			m, ok := seen[id]
			if !ok {
				t.Fatalf("no message %s", id)
			}
			e, err := queue.OpenEnvelope(&m)
			if err != nil || e.Seq != seq || e.Producer != 1 || e.Run != run || !e.SentAt.Equal(m.Timestamp) || len(m.Body) != 33 {
				t.Fatalf("%s: %+v, %v", id, e, err)
			}
			last, again := keys[m.Key]
			if again && uint64(e.Back) != seq-last || !again && e.Back != 0 {
				t.Fatalf("%s: back %d, and the last of key %s was %d", id, e.Back, m.Key, last)
			}
			if want := b.start.Add(time.Duration(seq) * 10 * time.Millisecond); m.Timestamp.Sub(want).Abs() > 1 {
				t.Fatalf("%s: meant for %s, not %s", id, m.Timestamp, want)
			}
			keys[m.Key] = seq
			bodies[string(m.Body)] = true
		}
		if len(bodies) < 95 {
			t.Errorf("%d different bodies", len(bodies))
		}
		for _, key := range []string{"p1-k0", "p1-k1", "p1-k2"} {
			if _, ok := keys[key]; !ok || len(keys) != 3 {
				t.Errorf("keys %v", keys)
			}
		}
	})
}
