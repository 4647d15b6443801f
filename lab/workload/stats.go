package workload

import (
	"context"
	"time"

	"github.com/havoqlab/havoq/history"
)

// Stats are the live counters. Each producer's add up at any time:
// Scheduled = Offered + Waiting + NotSent, Offered = Acked + Failed + InDoubt + InFlight + Retrying.
type Stats struct {
	Scheduled int64 `json:"scheduled"` // meant to be sent by now
	Offered   int64 `json:"offered"`   // handed to the queue at least once
	Attempts  int64 `json:"attempts"`  // handed to the queue, retries included
	Acked     int64 `json:"acked"`     // confirmed
	Failed    int64 `json:"failed"`    // given up, proven not taken at every attempt
	InDoubt   int64 `json:"in_doubt"`  // given up, and some attempt may have worked
	NotSent   int64 `json:"not_sent"`  // never offered: the backlog was full, or the producers were stopped

	FailedAttempts  int64 `json:"failed_attempts"`
	UnknownAttempts int64 `json:"unknown_attempts"`
	Waiting         int64 `json:"waiting"`   // due and in the backlog
	InFlight        int64 `json:"in_flight"` // offered, without a result
	Retrying        int64 `json:"retrying"`  // wait for their next attempt

	Delivered     int64 `json:"delivered"`   // deliveries, redeliveries included
	Redelivered   int64 `json:"redelivered"` // deliveries that the broker marked as repeated
	Processed     int64 `json:"processed"`   // acked messages whose work was done, each counted once
	Work          int64 `json:"work"`        // how often work was done, repeated work included
	Lag           int64 `json:"lag"`         // acked messages whose work was not done yet
	Damaged       int64 `json:"damaged"`     // deliveries with a corrupt payload or envelope
	Foreign       int64 `json:"foreign"`     // deliveries without an envelope or of another run
	InHand        int64 `json:"in_hand"`     // received, and not yet processed and settled
	ReceiveErrors int64 `json:"receive_errors"`
	SettleErrors  int64 `json:"settle_errors"` // deliveries whose ack was not confirmed

	// BrokenResults are results that a driver gave beyond the one that each message gets: a bug in it.
	BrokenResults int64 `json:"broken_results,omitempty"`
	// LastError is the last error of a send, from any producer.
	LastError string `json:"last_error,omitempty"`
}

// Stats returns the live counters. It is cheap: a few locks that are held for a copy.
func (w *Workload) Stats() Stats {
	var s Stats
	for _, p := range w.producers {
		c, err := p.snapshot()
		s.Scheduled += c.scheduled
		s.Offered += c.offered
		s.Attempts += c.attempts
		s.Acked += c.acked
		s.Failed += c.failed
		s.InDoubt += c.inDoubt
		s.NotSent += c.notSent
		s.FailedAttempts += c.failedAttempts
		s.UnknownAttempts += c.unknownAttempts
		s.Waiting += c.waiting
		s.InFlight += c.inFlight
		s.Retrying += c.retrying
		s.BrokenResults += c.broken
		if err != nil {
			s.LastError = err.Error()
		}
	}
	for _, t := range w.tracks {
		acked, lag := t.lags()
		s.Processed += acked - lag
		s.Lag += lag
	}
	for _, c := range w.consumers {
		s.Delivered += c.received.delivered.Load()
		s.Redelivered += c.received.redelivered.Load()
		s.Work += c.received.processed.Load()
		s.Damaged += c.received.damaged.Load()
		s.Foreign += c.received.foreign.Load()
		s.InHand += c.inHand.Load()
		s.ReceiveErrors += c.received.receiveErrors.Load()
		s.SettleErrors += c.received.settleErrors.Load()
	}
	return s
}

// sample records the figures that no single message has, four times a second and once at the end.
func (w *Workload) sample(ctx context.Context) {
	defer close(w.sampled)
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.recordSample()
		case <-ctx.Done():
			w.recordSample()
			return
		}
	}
}

func (w *Workload) recordSample() {
	if w.cfg.Recorder == nil {
		return
	}
	s := w.Stats()
	w.record(history.Event{Kind: history.Sample, Name: "lag", Group: w.cfg.Group, Value: float64(s.Lag)})
	w.record(history.Event{Kind: history.Sample, Name: "backlog", Value: float64(s.Waiting)})
	w.record(history.Event{Kind: history.Sample, Name: "inflight", Value: float64(s.InFlight + s.Retrying)})
}
