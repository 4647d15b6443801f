package history_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// Of two messages that are the same the first is lost. Nobody can say which of them it was, so nobody is accused of having
// overtaken it.
func TestShadowOfALossAmongTheSame(t *testing.T) {
	for mode, order := range map[history.ShadowMode]oracle.Order{history.ByID: oracle.OrderKey, history.ByContent: oracle.OrderProducer} {
		synctest.Test(t, func(t *testing.T) {
			lost := received(func(ds []queue.Delivery) []queue.Delivery {
				return slices.DeleteFunc(ds, func(d queue.Delivery) bool { return d.Offset == 4 })
			})
			s := newShadow(t, history.ShadowConfig{Mode: mode}, memory.New(memory.Config{AckTimeout: time.Second}), lost)
			orders(t, s, func(i int) queue.Message {
				if i == 6 {
					i = 4
				}
				return numbered(i)
			})
			r := s.judge(oracle.Contract{Order: order}, "billing")
			if diff := cmp.Diff(map[string]int64{oracle.Lost: 1}, found(r)); diff != "" {
				t.Errorf("by %v: %s", mode, diff)
			}
		})
	}
}

// What the broker knows already, and does not store again, is refused: it is not lost.
func TestShadowOfWhatTheBrokerKnows(t *testing.T) {
	for _, mode := range []history.ShadowMode{history.ByPosition, history.ByID, history.ByContent} {
		synctest.Test(t, func(t *testing.T) {
			s := newShadow(t, history.ShadowConfig{Mode: mode}, memory.New(memory.Config{DedupWindow: time.Hour}))
			orders(t, s, func(i int) queue.Message {
				m := numbered(i / 2) // each twice
				m.ID = number(&m)
				return m
			})
			r := s.judge(oracle.Contract{}, "billing")
			if len(found(r)) > 0 || r.Verdict != oracle.Pass || r.Counts.Offered != 10 || r.Counts.Acked != 5 || r.Counts.Failed != 5 {
				t.Errorf("by %v: %s %q %v %+v", mode, r.Verdict, r.Reasons, found(r), r.Counts)
			}
		})
	}
}

// A retry with the same ID is another attempt, whatever became of the first.
func TestShadowOfARetry(t *testing.T) {
	for _, mode := range []history.ShadowMode{history.ByPosition, history.ByID, history.ByContent} {
		for _, err := range []error{queue.ErrRefused, queue.ErrUnconfirmed} {
			q := &script{Queue: memory.New(memory.Config{})}
			s := newShadow(t, history.ShadowConfig{Mode: mode}, q)
			p, _ := s.Producer(t.Context(), "orders")
			m := numbered(1)
			m.ID = "1"
			for _, r := range []queue.Result{{Offset: -1, Err: err}, {Offset: 5}} {
				q.sends = nil
				p.Produce(t.Context(), []queue.Message{m}, ignore)
				q.sends[0].done(r)
			}
			r := s.judge(oracle.Contract{})
			if r.Counts.Offered != 1 || r.Counts.Acked != 1 || r.Counts.Attempts != 2 || s.Counts().Sent != 1 {
				t.Errorf("by %v after %v: %+v", mode, err, r.Counts)
			}
		}
	}
}
