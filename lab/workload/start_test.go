package workload_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

func TestStartRefusesNonsense(t *testing.T) {
	q := memory.New(memory.Config{MaxBody: 100, AckTimeout: time.Second})
	for wrong, change := range map[string]func(*workload.Config){
		"Queue is nil":             func(c *workload.Config) { c.Queue = nil },
		"Start is zero":            func(c *workload.Config) { c.Start = time.Time{} },
		"Producers is -1":          func(c *workload.Config) { c.Producers = -1 },
		"Consumers is -2":          func(c *workload.Config) { c.Consumers = -2 },
		"nothing to do":            func(c *workload.Config) { c.Producers, c.Consumers = 0, 0 },
		"Rate is -1/s":             func(c *workload.Config) { c.Rate = -1 },
		"Rate is NaN/s":            func(c *workload.Config) { c.Rate = math.NaN() },
		"Rate is +Inf/s":           func(c *workload.Config) { c.Rate = math.Inf(1) },
		"Size is -1 bytes":         func(c *workload.Config) { c.Size = -1 },
		"memory takes at most 100": func(c *workload.Config) { c.Size = 101 },
		"Keys is -3":               func(c *workload.Config) { c.Keys = -3 },
		"Work is -1s":              func(c *workload.Config) { c.Work = -time.Second },
		"memory redelivers after":  func(c *workload.Config) { c.Work = time.Second },
		"Backlog is -1":            func(c *workload.Config) { c.Backlog = -1 },
		"Window is -1":             func(c *workload.Config) { c.Window = -1 },
	} {
		c := workload.Config{Queue: q, Start: time.Now(), Producers: 1, Rate: 1}
		change(&c)
		if _, err := workload.Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// opens fails the first sessions.
func opens(failures int, err error) queue.Hooks {
	return queue.Hooks{Open: func(ctx context.Context, _ *queue.Session, next func(context.Context) error) error {
		if failures--; failures >= 0 {
			return err
		}
		return next(ctx)
	}}
}

func TestStartRetriesUntilTheBrokerIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{}, opens(5, errors.New("no broker")))
		w := b.begin(workload.Config{Consumers: 1, Rate: 100})
		bubble.Sleep(time.Second)
		if s, _ := b.end(w); s.Processed != 101 { // the schedule began when all was open
			t.Errorf("%+v", s)
		}
	})
}

func TestStartEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{}, opens(math.MaxInt, errors.New("no broker")))
		for limit, want := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, time.Hour: 30 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			began := time.Now()
			_, err := workload.Start(ctx, workload.Config{Queue: b.queue, Start: b.start, Producers: 1, Rate: 1})
			if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "open producer-1: no session after") ||
				!strings.Contains(err.Error(), "no broker") || took != want {
				t.Errorf("after %s: %v", took, err)
			}
			cancel()
		}
	})
}

func TestStartDoesNotAskAClosedQueueAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		if err := b.queue.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := workload.Start(t.Context(), workload.Config{Queue: b.queue, Start: b.start, Producers: 1, Rate: 1})
		if !errors.Is(err, queue.ErrClosed) || time.Since(began) > 0 {
			t.Errorf("%v", err)
		}
	})
}

// The load outlives the context that it was started with.
func TestStartContextBoundsOnlyTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, memory.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		w, err := workload.Start(ctx, workload.Config{Queue: b.queue, Recorder: b.events, Run: run, Start: b.start, Producers: 1, Consumers: 1, Rate: 100})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		bubble.Sleep(time.Second)
		if s, drained := b.end(w); s.Processed != 101 || !drained.Proven {
			t.Errorf("%+v", s)
		}
	})
}
