package history_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
)

func TestMemoryStampsAndOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m history.Memory
		m.Record(history.Event{Kind: history.Note})
		bubble.Sleep(time.Second)
		m.Record(history.Event{Kind: history.Note})
		m.Record(history.Event{Kind: history.Note, At: 5})
		var got []int64
		for e := range m.Events() {
			got = append(got, e.At)
		}
		if want := []int64{1, 1e9, 1e9}; !slices.Equal(got, want) || m.Now() != 1e9 || m.Len() != 3 {
			t.Error(got, m.Now(), m.Len())
		}
		for range m.Events() { // recording while reading is no deadlock
			m.Record(history.Event{Kind: history.Note})
			break
		}
	})
}

func TestTeeGivesAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		bubble.Sleep(time.Hour)
		a, b, plain := &history.Memory{Start: start}, &history.Memory{}, &counting{}
		both := history.Tee(plain, a, b)
		var recorders sync.WaitGroup
		for i := range 8 {
			recorders.Go(func() {
				for range 500 {
					both.Record(history.Event{Kind: history.Note, Identity: queue.Identity{Producer: uint32(i)}})
				}
			})
		}
		recorders.Wait()
		inA, inB := slices.Collect(a.Events()), slices.Collect(b.Events())
		if len(inA) != 4000 || plain.n != 4000 || !slices.Equal(inA, inB) || inB[0].At != int64(time.Hour) {
			t.Error(len(inA), len(inB), plain.n)
		}
	})
}

// counting has no clock.
type counting struct{ n int }

func (c *counting) Record(history.Event) { c.n++ }

func TestTeeWithoutAClock(t *testing.T) {
	c := &counting{}
	history.Tee(c).Record(history.Event{Kind: history.Note})
	history.Tee().Record(history.Event{Kind: history.Note})
	if c.n != 1 {
		t.Error(c.n)
	}
}
