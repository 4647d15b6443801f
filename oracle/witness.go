package oracle

import (
	"fmt"
	"iter"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// maxSteps bounds a witness's life: a message that is delivered for ever has shown enough by then.
const maxSteps = 200

// witnesses keeps the first messages that show each anomaly.
type witnesses struct {
	limit  int
	counts map[string]int
	list   []Witness
}

func (w *witnesses) add(anomaly, how string, by *injected, g *group, id *queue.Identity) {
	if w.counts[anomaly] >= w.limit {
		return
	}
	if w.counts == nil {
		w.counts = make(map[string]int)
	}
	w.counts[anomaly]++
	witness := Witness{Anomaly: anomaly, Attribution: how, Group: g.name, Life: []Step{}}
	if by != nil {
		witness.Fault = by.Name
	}
	if id != nil {
		witness.Message = *id
	}
	w.list = append(w.list, witness)
}

// copy is for judging the end without spoiling what was found on the way.
func (w *witnesses) copy() witnesses {
	c := witnesses{limit: w.limit, counts: make(map[string]int, len(w.counts)), list: append([]Witness{}, w.list...)}
	for k, v := range w.counts {
		c.counts[k] = v
	}
	return c
}

// AddLives reads the events once more and fills in the life of each witness. A witness without an identity, such as one whose
// envelope was damaged, has none.
func (r *Result) AddLives(events iter.Seq[history.Event]) {
	wanted := make(map[queue.Identity][]*Witness)
	for i := range r.Witnesses {
		w := &r.Witnesses[i]
		w.Life = []Step{}
		if w.Message != (queue.Identity{}) {
			wanted[w.Message] = append(wanted[w.Message], w)
		}
	}
	if len(wanted) == 0 {
		return
	}
	for e := range events {
		for _, w := range wanted[e.Identity] {
			if step, ok := step(&e); ok && len(w.Life) < maxSteps {
				w.Life = append(w.Life, step)
			}
		}
	}
}

// step tells an event in the words of a report; false: it is no part of a message's life.
func step(e *history.Event) (Step, bool) {
	s := Step{At: e.At}
	switch e.Kind {
	case history.Invoke:
		s.What, s.Detail = "sent", fmt.Sprintf("attempt %d, %s", max(e.Attempt, 1), e.Client)
	case history.Outcome:
		s.What, s.Detail = outcomeWord(e.Outcome), detail(e)
	case history.Deliver:
		s.What, s.Detail = "delivered", deliveryDetail(e)
	case history.Processed:
		s.What, s.Detail = "processed", consumer(e)
	case history.Settle:
		s.What, s.Detail = settleWord(e), consumer(e)+detail(e)
	case history.DeadLetter:
		s.What, s.Detail = "dead-lettered", consumer(e)
	case history.Hit:
		s.What, s.Detail = "hit", e.Name
	default:
		return s, false
	}
	return s, true
}

func outcomeWord(o queue.Outcome) string {
	switch o {
	case queue.OK:
		return "acked"
	case queue.Failed:
		return "failed"
	default:
		return "in doubt"
	}
}

func settleWord(e *history.Event) string {
	word := "settled"
	if !e.Ack {
		word = "given back"
	}
	switch e.Outcome {
	case queue.OK:
		return word
	case queue.Failed:
		return word + " (refused)"
	default:
		return word + " (not confirmed)"
	}
}

func detail(e *history.Event) string {
	text := e.Detail
	if e.Duplicate {
		text = "the broker held it already " + text
	}
	if text != "" && e.Kind == history.Settle {
		return ": " + text
	}
	return text
}

func consumer(e *history.Event) string {
	if e.Client == "" {
		return "group " + e.Group
	}
	return e.Client + " of " + e.Group
}

func deliveryDetail(e *history.Event) string {
	text := consumer(e)
	if e.Attempt > 0 {
		text += fmt.Sprintf(", attempt %d", e.Attempt)
	}
	if e.Damage == history.CorruptPayload {
		text += ", payload damaged"
	}
	return text
}
