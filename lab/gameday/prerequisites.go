package gameday

import (
	"context"
	"errors"
	"fmt"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// ErrPrerequisite is a run that was not started because something that the scenario needs does not hold.
var ErrPrerequisite = errors.New("prerequisite not met")

// checkPrerequisites checks what havoq can check and asks a person for the rest: a prerequisite is never idle text.
func (r *run) checkPrerequisites(ctx context.Context) error {
	for _, p := range r.cfg.Scenario.Prerequisites {
		if !p.Applies(r.cfg.Scenario.Timing) {
			continue
		}
		if err := r.checkPrerequisite(ctx, p.Check, p.Confirm); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) checkPrerequisite(ctx context.Context, check, question string) error {
	if check != "" {
		c, err := criteria.ParseFact(check)
		if err != nil {
			return err
		}
		verdict, value, reason := c.Eval(r.facts())
		if verdict != "pass" {
			return fmt.Errorf("%w: %s: %s", ErrPrerequisite, check, reason)
		}
		r.note("havoq", fmt.Sprintf("prerequisite %s holds: %s", check, value))
		return nil
	}
	r.told(ctx)
	ok, err := r.cfg.Confirm(ctx, question)
	if err != nil {
		return fmt.Errorf("ask whether %q: %w", question, err)
	}
	if !ok {
		return fmt.Errorf("%w: %q was not confirmed", ErrPrerequisite, question)
	}
	r.note("executor", "confirmed: "+question)
	return nil
}

// facts are what a prerequisite's check may ask of the target and the load. Of a broker that somebody else runs nothing is known.
func (r *run) facts() criteria.Facts {
	s := r.cfg.Scenario
	facts := criteria.Facts{}
	if !s.Workload.IsExternal() {
		facts["workload.producers"], facts["workload.consumers"] = float64(s.Workload.Producers), float64(s.Workload.Consumers)
	}
	if s.Target.Cluster != nil {
		facts["cluster.nodes"] = float64(len(r.target.states()))
		facts["cluster.replicas"] = float64(s.Target.Cluster.Replicas)
	}
	return facts
}
