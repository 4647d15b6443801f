package workload

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

const (
	drainPoll   = 100 * time.Millisecond
	drainAsk    = 5 * time.Second // of one question for the depth
	drainQuiet  = 2 * time.Second // without a delivery, where the broker cannot say its depth
	drainFactor = 4               // how many limits a drain that gets on may take altogether
)

// DrainResult says how a drain ended.
type DrainResult struct {
	// Proven: the broker said twice that the group has nothing left, and all that was received is processed and settled.
	Proven bool `json:"proven"`
	// Left is how many messages the group has not finished; -1: not known.
	Left int64 `json:"left"`
	// Took is how long it was.
	Took time.Duration `json:"took_ns"`
	// Reason says what is known, and if the queue is not proven empty why not.
	Reason string `json:"reason"`
}

// String is one line for people.
func (r DrainResult) String() string {
	took := r.Took.Round(10 * time.Millisecond)
	if r.Proven {
		return fmt.Sprintf("drained in %s: %s", took, r.Reason)
	}
	return fmt.Sprintf("not drained after %s: %s", took, r.Reason)
}

// Drain waits until the group has nothing left: the broker says a depth of 0 twice in a row, and the consumers have processed and
// settled all that they received. Stop the producers first; a queue that is still fed cannot be proven empty.
//
// limit is how long it may make no progress (a message processed for the first time, a depth lower than ever); a drain that gets
// on may take four times as long. Whatever ends the wait, the answer is recorded as a Drain event, with outcome OK only if it is
// proven.
func (w *Workload) Drain(ctx context.Context, limit time.Duration) DrainResult {
	began := time.Now()
	r := w.drain(ctx, limit)
	r.Took = time.Since(began)
	e := history.Event{Kind: history.Drain, Group: w.cfg.Group, Value: float64(r.Left), Detail: r.Reason}
	if r.Proven {
		e.Outcome = queue.OK
	}
	w.record(e)
	return r
}

// drainer is what a drain has seen so far.
type drainer struct {
	w         *Workload
	left      int64 // last answer; -1: none or not known
	lowest    int64
	processed int64
	delivered int64
	progress  time.Time // when it last got on
	activity  time.Time // when the last delivery was seen
	empty     int       // how often in a row
	err       error     // of the last question
}

func (w *Workload) drain(ctx context.Context, limit time.Duration) DrainResult {
	if !w.producersEnded() {
		return DrainResult{Left: -1, Reason: "the producers are still running: stop them first"}
	}
	now := time.Now()
	d := &drainer{w: w, left: -1, lowest: -1, progress: now, activity: now}
	end := now.Add(drainFactor * limit)
	counted := w.cfg.Queue.Caps().Depth
	for {
		d.look(ctx, counted)
		now = time.Now()
		switch {
		case d.empty >= 2:
			return DrainResult{Proven: true, Reason: "the broker says twice that nothing is left, and all that was received is processed and settled"}
		case !counted && d.lagFree() && now.Sub(d.activity) >= drainQuiet:
			return DrainResult{Left: -1, Reason: fmt.Sprintf("all acknowledged messages are processed, but %s cannot say how many "+
				"messages a group has left", w.cfg.Queue.Caps().Driver)}
		case ctx.Err() != nil:
			return d.expired("it was cut short (" + context.Cause(ctx).Error() + ")")
		case now.Sub(d.progress) >= limit:
			return d.expired(fmt.Sprintf("no progress for %s", limit))
		case !now.Before(end):
			return d.expired(fmt.Sprintf("it got on, but took longer than %s", drainFactor*limit))
		}
		wait(ctx, drainPoll)
	}
}

// look asks once.
func (d *drainer) look(ctx context.Context, counted bool) {
	now := time.Now()
	s := d.w.Stats()
	if s.Processed > d.processed {
		d.processed, d.progress = s.Processed, now
	}
	if s.Delivered > d.delivered {
		d.delivered, d.activity = s.Delivered, now
	}
	if !counted || ctx.Err() != nil {
		return
	}
	ask, cancel := context.WithTimeout(ctx, drainAsk)
	defer cancel()
	depth, err := d.w.cfg.Queue.Depth(ask, d.w.cfg.Topic, d.w.cfg.Group)
	if err != nil && ctx.Err() != nil {
		return // the last answer stands
	}
	if d.err = err; err != nil {
		d.left, d.empty = -1, 0
		return
	}
	d.left = depth.Total()
	if d.left >= 0 && (d.lowest < 0 || d.left < d.lowest) {
		d.lowest, d.progress = d.left, now
	}
	// The order matters: what left the broker before the answer is in a consumer's hand after it.
	if d.left == 0 && d.w.Stats().InHand == 0 {
		d.empty++
	} else {
		d.empty = 0
	}
}

func (d *drainer) lagFree() bool {
	s := d.w.Stats()
	return s.Lag == 0 && s.InHand == 0
}

// expired gathers what a person needs to see why.
func (d *drainer) expired(why string) DrainResult {
	s := d.w.Stats()
	parts := []string{why}
	switch {
	case d.err != nil:
		parts = append(parts, "the broker did not say how many are left: "+d.err.Error())
	case d.left >= 0:
		parts = append(parts, fmt.Sprintf("the broker says %d left", d.left))
	default:
		parts = append(parts, "the broker cannot say how many are left")
	}
	parts = append(parts, fmt.Sprintf("%d acknowledged messages are not processed", s.Lag))
	if ids := d.w.waiting(3); len(ids) > 0 {
		parts[len(parts)-1] += " (" + strings.Join(ids, ", ") + ")"
	}
	if s.InHand > 0 {
		parts = append(parts, fmt.Sprintf("consumers hold %d", s.InHand))
	}
	return DrainResult{Left: d.left, Reason: strings.Join(parts, "; ")}
}

// waiting names a few messages that are acked and not processed.
func (w *Workload) waiting(most int) (ids []string) {
	for i, t := range w.tracks {
		for _, seq := range t.waiting(most - len(ids)) {
			ids = append(ids, messageID(w.cfg.Run, uint32(i+1), seq))
		}
	}
	return ids
}

func (w *Workload) producersEnded() bool {
	for _, p := range w.producers {
		select {
		case <-p.ended:
		default:
			return false
		}
	}
	return true
}
