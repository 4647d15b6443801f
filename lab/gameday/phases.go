package gameday

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/oracle"
)

// phases runs the scenario's steps, one after the other.
func (r *run) phases(ctx context.Context) error {
	for i, step := range r.cfg.Scenario.Phases {
		name := step.Name()
		r.setPhase(phaseState{name: name, index: i + 1, deadline: time.Now().Add(step.Length())})
		r.recorder.Record(history.Event{Kind: history.Phase, Name: name})
		r.tell(Progress{Kind: PhaseOn, Text: step.Describe()})
		before, begun := r.load.Stats(), time.Now()
		err := r.step(ctx, step)
		if ctx.Err() != nil {
			err = r.cutShort(ctx, err)
		}
		if figures, some := r.phaseFigures(before, time.Since(begun)); some || step.Length() > 0 { // of a moment there is nothing to tell
			r.tell(Progress{Kind: PhaseOff, Text: figures})
		}
		r.setPhase(phaseState{})
		if err != nil {
			return fmt.Errorf("phase %d (%s): %w", i+1, name, err)
		}
	}
	return nil
}

// cutShort is the error of a step during which the run was ended. What failed besides is not lost.
func (r *run) cutShort(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err != nil && !errors.Is(err, cause) {
		r.note("havoq", err.Error())
	}
	return cause
}

func (r *run) step(ctx context.Context, step scenario.Phase) error {
	switch {
	case step.Baseline != nil:
		return r.baseline(ctx, *step.Baseline)
	case step.Observe != nil:
		return r.hold(ctx, *step.Observe)
	case step.Inject != nil:
		return r.injectStep(ctx, *step.Inject)
	case step.Recover != nil:
		return r.recover(ctx, *step.Recover)
	case step.Load != nil:
		return r.loadStep(ctx, *step.Load)
	}
	return fmt.Errorf("empty phase")
}

// baseline measures what is normal.
func (r *run) baseline(ctx context.Context, span scenario.Span) error {
	r.live.resetLagMax()
	before, begun := r.load.Stats(), time.Now()
	err := r.hold(ctx, span)
	r.baselineLag = max(r.baselineLag, r.live.resetLagMax())
	r.baselineRate = max(r.baselineRate, float64(r.load.Stats().Acked-before.Acked)/time.Since(begun).Seconds())
	return err
}

// wantedRate is what the load is to send: what the scenario says, or what the user's application sent in the baseline.
func (r *run) wantedRate() float64 {
	if r.cfg.Scenario.Workload.IsExternal() {
		return r.baselineRate
	}
	return float64(r.cfg.Scenario.Workload.Rate)
}

// loadStep changes the rate for a time. The rate goes back also when the run is ended meanwhile.
func (r *run) loadStep(ctx context.Context, step scenario.Load) error {
	base := float64(r.cfg.Scenario.Workload.Rate)
	rate := float64(step.Rate)
	if step.Factor > 0 {
		rate = base * step.Factor
	}
	if err := r.load.SetRate(rate); err != nil {
		return err
	}
	err := r.hold(ctx, scenario.Span{For: step.For})
	return errors.Join(err, r.load.SetRate(base))
}

// hold lets time pass: all of it, or until the faults in force are decided.
func (r *run) hold(ctx context.Context, span scenario.Span) error {
	end := time.NewTimer(span.For)
	defer end.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end.C:
			return nil
		case <-tick.C:
			if span.Until == "decided" && r.decided(ctx) {
				return nil
			}
		}
	}
}

// A fault is decided when its outcome can be told: the topic has a leader that is not struck, sends and processing flow again
// at half the wanted rate at least, and the lag is as before. The figures are those of a second that lies wholly after the
// last injection or recovery.
const decideAfter = 2500 * time.Millisecond

func (r *run) decided(ctx context.Context) bool {
	if r.faults.since() < decideAfter {
		return false
	}
	rates := r.live.rates()
	wanted := r.wantedRate() / 2
	if rates.Acked < wanted || rates.Processed < wanted || rates.Lag > r.normalLag() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	leader, err := r.target.leader(ctx)
	if err != nil {
		return errors.Is(err, errNoNodes)
	}
	return !slices.ContainsFunc(r.faults.inForce(), func(a *active) bool { return a.node == leader })
}

// normalLag is what counts as "back to normal", by the oracle's own rule, with the wanted rate for the measured one.
func (r *run) normalLag() float64 {
	return oracle.NormalLag(r.baselineLag, r.wantedRate())
}

// phaseFigures says what was sent and processed since before; some: there was something.
func (r *run) phaseFigures(before workload.Stats, lasted time.Duration) (text string, some bool) {
	now := r.load.Stats()
	rates := r.live.rates()
	parts := []string{
		fmt.Sprintf("%s sends", count(now.Attempts-before.Attempts)),
		fmt.Sprintf("%s acked", count(now.Acked-before.Acked)),
	}
	if n := now.FailedAttempts - before.FailedAttempts; n > 0 {
		parts = append(parts, count(n)+" refused")
	}
	if n := now.UnknownAttempts - before.UnknownAttempts; n > 0 {
		parts = append(parts, count(n)+" without an answer")
	}
	if n := now.NotSent - before.NotSent; n > 0 {
		parts = append(parts, count(n)+" not sent")
	}
	parts = append(parts, count(now.Processed-before.Processed)+" processed")
	if rates.P99 > 0 && lasted > time.Second { // of its last second
		parts = append(parts, "p99 "+criteria.FormatSeconds(rates.P99)+" at its end")
	}
	parts = append(parts, "lag "+count(now.Lag))
	return strings.Join(parts, ", "), now.Attempts > before.Attempts || now.Processed > before.Processed
}

func count(n int64) string { return criteria.Count.Format(float64(n)) }
