package gameday

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// recover takes back all faults, those of some names in their order, or what holds a node down.
func (r *run) recover(ctx context.Context, step scenario.Recover) error {
	names := step.Names
	switch {
	case step.Start != "":
		names = []string{step.Start}
	case len(names) == 0:
		return r.recoverAll(ctx)
	}
	for _, name := range names {
		if ctx.Err() != nil { // the end of the run takes back the rest
			return context.Cause(ctx)
		}
		if err := r.recoverNamed(ctx, name, step.Wipe); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) recoverNamed(ctx context.Context, name string, wipe bool) error {
	found := r.faults.meant(name)
	if len(found) == 0 {
		return fmt.Errorf("recover %s: no such fault was injected; in force: %s", name, orNone(r.faults.names()))
	}
	inForce := slices.DeleteFunc(slices.Clone(found), (*active).isGone)
	if len(inForce) == 0 && !wipe {
		r.tell(Progress{Kind: Act, Text: name + " is recovered already"})
		return nil
	}
	if len(inForce) == 0 {
		return fmt.Errorf("recover %s: it is up already, so it cannot be started on an empty disk; give its fault no lease, or a longer one", name)
	}
	for _, a := range inForce {
		if err := r.heal(ctx, a, wipe); err != nil {
			return err
		}
		wipe = false // the node's disk is wiped once, however many faults hold it down
	}
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// recoverAll takes back everything that is in force, also when one of them fails: the last one first, because what came later
// may stand in the way of what came before (consumers cannot come back to a broker that is down).
func (r *run) recoverAll(ctx context.Context) error {
	var errs []error
	for _, a := range slices.Backward(r.faults.inForce()) {
		errs = append(errs, r.heal(ctx, a, false))
	}
	return errors.Join(errs...)
}

// recoverAtEnd takes back what the phases left in force, whatever ended them, and ends the leases.
func (r *run) recoverAtEnd(parent context.Context) error {
	r.leases.end()
	defer r.leases.wait()
	err := r.recoverAll(parent)
	if err != nil {
		err = fmt.Errorf("%w; havoq ends what it started all the same; see the logs in %s", err, r.dir)
	}
	return err
}

// heal takes one fault back and returns when that is seen, whether ctx ends meanwhile or not: an interrupted run recovers, too.
// Doing it twice is doing it once. With wipe the node comes back on an empty disk.
func (r *run) heal(ctx context.Context, a *active, wipe bool) error {
	ctx, cancel := r.within(context.WithoutCancel(ctx), r.limits.act+r.readyTime(a.node))
	defer cancel()
	select {
	case a.healing <- struct{}{}:
		defer func() { <-a.healing }()
	case <-ctx.Done():
		return fmt.Errorf("recover from %s: somebody else is at it: %w", a.name, context.Cause(ctx))
	}
	if a.isGone() {
		return nil
	}
	r.recorder.Record(history.Event{Kind: history.HealBegin, Name: a.name, Node: a.node})
	begun := time.Now()
	evidence, err := r.undo(ctx, a, wipe)
	if err != nil {
		return fmt.Errorf("recover from %s: %w", a.name, err)
	}
	r.recorder.Record(history.Event{Kind: history.HealSeen, Name: a.name, Node: a.node, Detail: evidence})
	close(a.gone)
	r.faults.touch()
	r.tell(Progress{Kind: Act, Text: fmt.Sprintf("recovered %s: %s (seen after %s)", a.node, evidence, criteria.FormatSeconds(time.Since(begun).Seconds()))})
	return nil
}

func (r *run) undo(ctx context.Context, a *active, wipe bool) (string, error) {
	if a.verb == "crash" || r.isApp(a.node) {
		return r.load.Restart(ctx, a.node)
	}
	if wipe {
		evidence, err := r.target.act(ctx, "wipe", a.node)
		if err != nil {
			return "", fmt.Errorf("wipe %s before its start: %w", a.node, err)
		}
		r.note("havoq", a.node+": "+evidence)
	}
	return r.target.undo(ctx, a.node)
}

// leases end faults after their time, each on a goroutine of its own: also while the run is busy.
type leases struct {
	over    chan struct{}
	waiting sync.WaitGroup
}

func (l *leases) init() { l.over = make(chan struct{}) }
func (l *leases) end()  { close(l.over) }
func (l *leases) wait() { l.waiting.Wait() }

func (r *run) lease(a *active, span time.Duration) {
	r.leases.waiting.Go(func() {
		timer := time.NewTimer(span)
		defer timer.Stop()
		select {
		case <-a.gone:
			return
		case <-r.leases.over:
			return
		case <-timer.C:
		}
		r.tell(Progress{Kind: Act, Text: fmt.Sprintf("the lease of %s (%s) is over", a.name, criteria.FormatSeconds(span.Seconds()))})
		if err := r.heal(context.Background(), a, false); err != nil { // it stays in force, and the end of the run tries again
			r.note("havoq", err.Error())
			r.tell(Progress{Kind: Act, Text: err.Error()})
		}
	})
}
