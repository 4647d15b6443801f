package gameday

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// faults are those that were injected. Each is taken back by recover, by the end of its lease, or by the end of the run,
// whichever is first, and once.
type faults struct {
	mu      sync.Mutex
	all     []*active // as injected
	changed time.Time // when one was last seen in force, or gone
}

// active is one fault on one node (or on the load's consumers).
type active struct {
	name    string        // unique in the run: "kill leader", or the scenario's name
	fault   string        // the scenario's name, or the act's words
	verb    string        // of the target, or crash
	node    string        // or the consumers
	healing chan struct{} // a lock, held while it is taken back. A channel, because that is a wait.
	gone    chan struct{} // closed when it is seen gone
}

func (f *faults) init() { f.changed = time.Now() }

// add enters a fault under a name of its own: a name stands for one window in the history.
func (f *faults) add(name, verb, node string) *active {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := &active{
		name: name, fault: name, verb: verb, node: node,
		healing: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	for i := 2; slices.ContainsFunc(f.all, func(b *active) bool { return b.name == a.name }); i++ {
		a.name = fmt.Sprintf("%s #%d", name, i)
	}
	f.all = append(f.all, a)
	return a
}

func (f *faults) touch() {
	f.mu.Lock()
	f.changed = time.Now()
	f.mu.Unlock()
}

// since is how long nothing was injected or taken back.
func (f *faults) since() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.changed)
}

func (a *active) isGone() bool {
	select {
	case <-a.gone:
		return true
	default:
		return false
	}
}

// inForce returns those that were not seen gone, in the order of their injection.
func (f *faults) inForce() []*active {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.all), (*active).isGone)
}

func (f *faults) names() []string {
	var names []string
	for _, a := range f.inForce() {
		names = append(names, a.name)
	}
	return names
}

// meant returns those that a recover step means by a name, a fault's or a node's, whether they are in force or gone.
func (f *faults) meant(name string) []*active {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.all), func(a *active) bool {
		return a.fault != name && a.name != name && a.node != name
	})
}
