package gameday

import (
	"context"
	"fmt"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

func (r *run) injectStep(ctx context.Context, step scenario.Inject) error {
	if len(step.Names) == 0 {
		name, on := step.Act.Verb()
		if on != "all" && on != "each" { // their nodes are named one by one
			name += " " + on
		}
		return r.inject(ctx, name, step.Act)
	}
	for _, name := range step.Names {
		f, ok := r.cfg.Scenario.Fault(name)
		if !ok {
			return fmt.Errorf("inject %s: the scenario has no fault of that name", name)
		}
		if err := r.inject(ctx, name, f.Do); err != nil {
			return err
		}
	}
	return nil
}

// inject does one act of the scenario, under the name of its fault.
func (r *run) inject(ctx context.Context, name string, act scenario.Act) error {
	verb, on := act.Verb()
	if verb == "crash" {
		return r.strikeLeased(ctx, name, verb, on, act)
	}
	if r.isApp(on) {
		return r.restart(ctx, name, true, []string{on})
	}
	nodes, err := r.resolve(ctx, on)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if verb == "restart" {
		return r.restart(ctx, name, on == "each", nodes)
	}
	for _, node := range nodes {
		if err := r.strikeLeased(ctx, nameOn(name, node, nodes), verb, node, act); err != nil {
			return err
		}
	}
	return nil
}

// nameOn keeps the parts of one fault on several nodes apart.
func nameOn(name, node string, nodes []string) string {
	if len(nodes) == 1 {
		return name
	}
	return name + " " + node
}

// resolve waits a little for a leader, because "the leader" is meaningful only while there is one.
func (r *run) resolve(ctx context.Context, expr string) ([]string, error) {
	if expr == "each" {
		expr = "all"
	}
	ctx, cancel := r.within(ctx, min(20*time.Second, r.limits.act))
	defer cancel()
	return r.target.resolve(ctx, expr)
}

// restart stops nodes in good order, sees them down, and starts them again: a fault that ends by itself. With one by one the
// next is stopped only when the last is back: a rolling restart.
func (r *run) restart(ctx context.Context, name string, oneByOne bool, nodes []string) error {
	var down []*active
	for _, node := range nodes {
		a, err := r.strike(ctx, nameOn(name, node, nodes), "stop", node)
		if err != nil {
			return err
		}
		if oneByOne {
			err = r.heal(ctx, a, false)
		} else {
			down = append(down, a)
		}
		if err != nil {
			return err
		}
	}
	for _, a := range down {
		if err := r.heal(ctx, a, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) strikeLeased(ctx context.Context, name, verb, node string, act scenario.Act) error {
	a, err := r.strike(ctx, name, verb, node)
	if err == nil && act.For > 0 {
		r.lease(a, time.Duration(act.For))
	}
	return err
}

// strike injects one fault and returns when it is seen in force. It is recorded before the act, so that what follows from the
// act is never earlier than the fault. If ctx ends meanwhile the act is brought to its end, for some seconds: an act that is
// done by half is hard to take back.
func (r *run) strike(ctx context.Context, name, verb, node string) (*active, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	a := r.faults.add(name, verb, node)
	r.recorder.Record(history.Event{Kind: history.FaultBegin, Name: a.name, Node: node, Detail: verb + " " + node})
	ctx, cancel := grace(ctx, r.limits.grace)
	defer cancel()
	ctx, cancelAct := r.within(ctx, r.limits.act)
	defer cancelAct()
	begun := time.Now()
	evidence, err := r.do(ctx, a)
	if err != nil {
		return a, fmt.Errorf("inject %s: %w", a.name, err)
	}
	r.recorder.Record(history.Event{Kind: history.FaultSeen, Name: a.name, Node: node, Value: 1, Detail: evidence})
	r.faults.touch()
	r.tell(Progress{Kind: Act, Text: fmt.Sprintf("%s %s: %s (seen after %s)", verb, node, evidence, criteria.FormatSeconds(time.Since(begun).Seconds()))})
	return a, nil
}

// isApp reports whether a name is that of a program of the user's own.
func (r *run) isApp(name string) bool {
	_, ok := r.cfg.Scenario.Workload.App(name)
	return ok
}

func (r *run) do(ctx context.Context, a *active) (string, error) {
	if a.verb == "crash" {
		return r.load.Crash(ctx, a.node)
	}
	if r.isApp(a.node) {
		return r.load.(*external).apps.end(ctx, a.node)
	}
	return r.target.act(ctx, a.verb, a.node)
}
