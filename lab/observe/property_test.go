package observe_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/observe"
)

// In whatever order things are found, each message is told once, what came of it as often as it came, nothing before its cause, and
// what was never sent only at the end, if the group has shown anything that was sent.
func TestTheAccountIsThatOfWhatHappened(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 0, 30).Draw(rt, "steps")
		var err error
		synctest.Test(t, func(t *testing.T) { err = play(t, steps) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// step is one thing that happens.
type step struct {
	what  int // 0: an order, 1: an invoice, 2: a row, 3: a pause
	id    string
	pause time.Duration
}

func drawStep(rt *rapid.T) step {
	return step{
		what: rapid.IntRange(0, 3).Draw(rt, "what"), id: fmt.Sprint("o-", rapid.IntRange(0, 5).Draw(rt, "id")),
		pause: time.Duration(rapid.IntRange(0, 1500).Draw(rt, "pause")) * time.Millisecond,
	}
}

// play has the steps happen, and says what of them was told wrong.
func play(t *testing.T, steps []step) error {
	x := newTrial(t)
	observer, err := observe.Open(t.Context(), x.cfg)
	if err != nil {
		return err
	}
	defer func() { _ = observer.Close(context.Background()) }()
	if err := observer.Start(t.Context()); err != nil {
		return err
	}
	sent, came := map[string]bool{}, map[string]map[string]int{"topic invoices": {}, "table orders": {}}
	for _, s := range steps {
		switch s.what {
		case 0:
			if !sent[s.id] {
				sent[s.id] = true
				x.send("orders", s.id)
			}
		case 1:
			x.send("invoices", s.id)
			came["topic invoices"][s.id]++
		case 2:
			x.table.add(s.id)
			came["table orders"][s.id]++
		default:
			bubble.Sleep(s.pause)
			synctest.Wait()
		}
	}
	if err := observer.Cut(t.Context()); err != nil {
		return err
	}
	if d := observer.Drain(t.Context(), time.Minute); !d.Proven {
		return fmt.Errorf("drained: %+v", d)
	}
	return matches(x, sent, came)
}

func matches(x *trial, sent map[string]bool, came map[string]map[string]int) error {
	invoked, work := map[uint64]bool{}, map[string]map[uint64]int{"topic invoices": {}, "table orders": {}}
	for e := range x.told.Events() {
		switch e.Kind {
		case history.Invoke:
			if invoked[e.Identity.Seq] || work["topic invoices"][e.Identity.Seq]+work["table orders"][e.Identity.Seq] > 0 {
				return fmt.Errorf("message %d is told again, or after what came of it", e.Identity.Seq)
			}
			invoked[e.Identity.Seq] = true
		case history.Processed:
			work[e.Group][e.Identity.Seq]++
		}
	}
	if len(invoked) != len(sent) {
		return fmt.Errorf("%d messages are told, %d were sent", len(invoked), len(sent))
	}
	for group, ids := range came {
		known, unknown := 0, 0
		for id, n := range ids {
			if sent[id] {
				known += n
			} else {
				unknown += n
			}
		}
		if known == 0 { // the group shows something else than the IDs of the input, for all that is known
			unknown = 0
		}
		for seq, n := range work[group] {
			if invoked[seq] {
				known -= n
			} else {
				unknown -= n
			}
		}
		if known != 0 || unknown != 0 {
			return fmt.Errorf("%s: %d too few of what was sent, %d too few of what was not", group, known, unknown)
		}
	}
	return nil
}
