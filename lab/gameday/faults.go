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
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// faults are those in force. An injected fault is taken back by recover, by the end of its lease, or by the end of the run,
// whichever is first, and once.
type faults struct {
	mu     sync.Mutex
	active map[string]*active // by name
	order  []string           // names as injected
}

// active is one fault on one node (or on the load's consumers).
type active struct {
	name    string // unique in the run: "kill leader", or the scenario's name
	fault   string // the scenario's name, or the act's words
	verb    string
	node    string
	seen    time.Time
	expired *time.Timer // ends the lease

	healing sync.Mutex // held while it is taken back, so that the lease and a recover step do not do it twice
	healed  bool
}

func (f *faults) init() { f.active = map[string]*active{} }

func (f *faults) add(a *active) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active[a.name] = a
	f.order = append(f.order, a.name)
}

func (f *faults) remove(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.active, name)
}

// list returns those in force, in the order of their injection.
func (f *faults) list() []*active {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*active
	for _, name := range f.order {
		if a, ok := f.active[name]; ok {
			all = append(all, a)
		}
	}
	return all
}

func (f *faults) names() []string {
	var names []string
	for _, a := range f.list() {
		names = append(names, a.name)
	}
	return names
}

// uniqueName keeps two injections of one act apart: a name stands for one window in the history.
func (f *faults) uniqueName(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	unique := name
	for i := 2; ; i++ {
		taken := false
		for _, n := range f.order {
			taken = taken || n == unique
		}
		if !taken {
			return unique
		}
		unique = fmt.Sprintf("%s #%d", name, i)
	}
}

// inject does one act of the scenario. fault is its name there, or empty.
func (r *run) inject(ctx context.Context, fault string, act scenario.Act) error {
	verb, expr := act.Verb()
	if fault == "" {
		fault = verb + " " + expr
	}
	switch {
	case verb == "crash":
		return r.strike(ctx, fault, verb, expr, act)
	case verb == "restart" && expr == "each":
		return r.restartEach(ctx, fault)
	}
	nodes, err := r.resolve(ctx, expr)
	if err != nil {
		return fmt.Errorf("%s: %w", fault, err)
	}
	for _, node := range nodes {
		name := fault
		if len(nodes) > 1 {
			name = fault + " " + node
		}
		if verb == "restart" {
			err = r.restart(ctx, name, node)
		} else {
			err = r.strike(ctx, name, verb, node, act)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// resolve waits a little for a leader, because "the leader" is meaningful only while there is one.
func (r *run) resolve(ctx context.Context, expr string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return r.target.resolve(ctx, expr)
}

// strike injects one fault and returns when it is seen in force. It is recorded before the act, so that what follows from the
// act is never earlier than the fault.
func (r *run) strike(ctx context.Context, name, verb, node string, act scenario.Act) error {
	a := &active{name: r.faults.uniqueName(name), fault: name, verb: verb, node: node}
	r.recorder.Record(history.Event{Kind: history.FaultBegin, Name: a.name, Node: node, Detail: verb + " " + node})
	r.faults.add(a)
	ctx, cancel := context.WithTimeout(ctx, actLimit)
	defer cancel()
	begun := time.Now()
	evidence, err := r.do(ctx, a)
	if err != nil {
		return fmt.Errorf("inject %s: %w", a.name, err)
	}
	a.seen = time.Now()
	r.recorder.Record(history.Event{Kind: history.FaultSeen, Name: a.name, Node: node, Value: 1, Detail: evidence})
	r.tell(Progress{Kind: Act, Text: fmt.Sprintf("%s %s: %s (seen after %s)", verb, node, evidence, short(a.seen.Sub(begun)))})
	if lease := time.Duration(act.For); lease > 0 {
		a.expired = time.AfterFunc(lease, func() { r.expire(a, lease) })
	}
	return nil
}

func (r *run) do(ctx context.Context, a *active) (string, error) {
	if a.verb == "crash" {
		return r.load.Crash(ctx, a.node)
	}
	return r.target.act(ctx, a.verb, a.node)
}

func (r *run) undo(ctx context.Context, a *active) (string, error) {
	if a.verb == "crash" {
		return r.load.Restart(ctx, a.node)
	}
	return r.target.undo(ctx, a.verb, a.node)
}

// expire ends a lease. It runs on its own goroutine, and under its own context: a lease ends also while the run is busy.
func (r *run) expire(a *active, lease time.Duration) {
	r.tell(Progress{Kind: Act, Text: fmt.Sprintf("the lease of %s (%s) is over", a.name, short(lease))})
	if err := r.heal(context.Background(), a); err != nil {
		r.note("havoq", err.Error())
	}
}

// heal takes one fault back and returns when that is seen. Doing it twice is doing it once.
func (r *run) heal(ctx context.Context, a *active) error {
	a.healing.Lock()
	defer a.healing.Unlock()
	if a.healed {
		return nil
	}
	if a.expired != nil {
		a.expired.Stop()
	}
	ctx, cancel := context.WithTimeout(ctx, actLimit)
	defer cancel()
	r.recorder.Record(history.Event{Kind: history.HealBegin, Name: a.name, Node: a.node})
	begun := time.Now()
	evidence, err := r.undo(ctx, a)
	if err != nil {
		return fmt.Errorf("recover from %s: %w", a.name, err)
	}
	a.healed = true
	r.faults.remove(a.name)
	r.recorder.Record(history.Event{Kind: history.HealSeen, Name: a.name, Node: a.node, Detail: evidence})
	r.tell(Progress{Kind: Act, Text: fmt.Sprintf("recovered %s: %s (seen after %s)", a.node, evidence, short(time.Since(begun)))})
	return nil
}

// recoverAll takes back everything that is in force, also when one of them fails: the last one first, because what came later
// may stand in the way of what came before (consumers cannot come back to a broker that is down).
func (r *run) recoverAll(ctx context.Context) error {
	var errs []error
	for _, a := range slices.Backward(r.faults.list()) {
		errs = append(errs, r.heal(ctx, a))
	}
	return errors.Join(errs...)
}

// recover takes back the faults of these names, in their order, or what holds this node down.
func (r *run) recover(ctx context.Context, step scenario.Recover) error {
	names := step.Names
	switch {
	case step.Start != "":
		names = []string{step.Start}
	case len(names) == 0:
		return r.recoverAll(ctx)
	}
	for _, name := range names {
		found := false
		for _, a := range r.faults.list() {
			if a.fault != name && a.name != name && a.node != name {
				continue
			}
			found = true
			if err := r.recoverOne(ctx, a, step.Wipe); err != nil {
				return err
			}
		}
		if !found {
			return fmt.Errorf("recover %s: no such fault is in force; in force: %s", name, strings.Join(r.faults.names(), ", "))
		}
	}
	return nil
}

func (r *run) recoverOne(ctx context.Context, a *active, wipe bool) error {
	if wipe {
		evidence, err := r.target.act(ctx, "wipe", a.node)
		if err != nil {
			return fmt.Errorf("wipe %s before its start: %w", a.node, err)
		}
		r.note("havoq", a.node+": "+evidence)
	}
	return r.heal(ctx, a)
}

// restart stops a node in good order, sees it down, and starts it again: a fault that ends by itself.
func (r *run) restart(ctx context.Context, name, node string) error {
	if err := r.strike(ctx, name, "stop", node, scenario.Act{}); err != nil {
		return err
	}
	list := r.faults.list()
	return r.heal(ctx, list[len(list)-1])
}

// restartEach restarts one node after the other, the next only when the last is back: a rolling restart.
func (r *run) restartEach(ctx context.Context, fault string) error {
	nodes, err := r.resolve(ctx, "all")
	if err != nil {
		return fmt.Errorf("%s: %w", fault, err)
	}
	for _, node := range nodes {
		if err := r.restart(ctx, "restart "+node, node); err != nil {
			return err
		}
	}
	return nil
}

// short prints a duration as people say it.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(100 * time.Millisecond).String()
	}
}
