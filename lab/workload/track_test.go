package workload

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTrackCountsLikeSets compares the pages with the two sets that they stand for.
func TestTrackCountsLikeSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tr track
		acked, processed, decided := map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}
		offered := uint64(0)
		offer := func(n uint64) {
			offered += n
			tr.offered.Store(offered)
		}
		seq := func(t *rapid.T) uint64 { return rapid.Uint64Range(0, max(1, offered)-1).Draw(t, "seq") }
		decide := func(n uint64, ok bool) {
			if n < offered && !decided[n] {
				decided[n] = true
				acked[n] = ok
				tr.decide(n, ok)
			}
		}
		process := func(n uint64) {
			if n < offered {
				processed[n] = true
			}
			tr.process(n)
		}
		t.Repeat(map[string]func(*rapid.T){
			"offer":  func(t *rapid.T) { offer(rapid.Uint64Range(1, 3000).Draw(t, "n")) },
			"ack":    func(t *rapid.T) { decide(seq(t), true) },
			"doubt":  func(t *rapid.T) { decide(seq(t), false) },
			"work":   func(t *rapid.T) { process(seq(t)) },
			"beyond": func(t *rapid.T) { process(offered + rapid.Uint64Range(0, 1e12).Draw(t, "far")) },
			"a page is done": func(t *rapid.T) {
				first := seq(t) / pageSize * pageSize
				for n := first; n < first+pageSize; n++ {
					decide(n, n%7 != 0)
					process(n)
				}
			},
			"": func(t *rapid.T) {
				var wantAcked, wantLag int64
				for n, ok := range acked {
					if ok {
						wantAcked++
						if !processed[n] {
							wantLag++
						}
					}
				}
				if gotAcked, gotLag := tr.lags(); gotAcked != wantAcked || gotLag != wantLag {
					t.Fatalf("acked %d, lag %d; the sets say %d and %d", gotAcked, gotLag, wantAcked, wantLag)
				}
				waiting := tr.waiting(1 << 30)
				if int64(len(waiting)) != wantLag {
					t.Fatalf("%d waiting, lag %d", len(waiting), wantLag)
				}
				for _, n := range waiting {
					if !acked[n] || processed[n] {
						t.Fatalf("%d does not wait", n)
					}
				}
			},
		})
	})
}

func TestTrackLetsPagesGo(t *testing.T) {
	var tr track
	tr.offered.Store(10 * pageSize)
	for n := range uint64(10 * pageSize) {
		tr.decide(n, true)
		if n != 5*pageSize {
			tr.process(n)
		}
	}
	kept := 0
	for _, p := range tr.pages {
		if p != letGo {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d pages are kept for one message", kept)
	}
	if letGo.acked != [pageSize / 64]uint64{} || letGo.lag != 0 || letGo.decidedCount != pageSize {
		t.Error("somebody wrote to the page that stands for all finished ones")
	}
}

func TestBacklogKeepsItsOrderAndBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := backlog{bound: rapid.IntRange(1, 300).Draw(t, "bound")}
		var next, oldest int
		for range rapid.IntRange(1, 50).Draw(t, "rounds") {
			for range rapid.IntRange(0, 200).Draw(t, "push") {
				if full := b.size == b.bound; b.push(time.Duration(next)) == full {
					t.Fatal("the bound does not hold")
				} else if !full {
					next++
				}
			}
			for range min(b.size, rapid.IntRange(0, 200).Draw(t, "pop")) {
				if got := b.pop(); got != time.Duration(oldest) {
					t.Fatalf("got %d, not %d", got, oldest)
				}
				oldest++
			}
			if b.size != next-oldest || len(b.ring) > b.bound {
				t.Fatalf("size %d, ring %d", b.size, len(b.ring))
			}
		}
	})
}
