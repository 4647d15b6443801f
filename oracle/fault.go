package oracle

import (
	"cmp"
	"slices"
	"time"

	"github.com/havoqlab/havoq/history"
)

// injected is a fault as the history tells it so far.
type injected struct {
	FaultWindow
	isSeen, isGone bool
	struck         int64 // hits on single messages
	exposed        int64 // sends that were under way while it was in force
	anomalies      map[string]int64
	lag            lagWatch

	// What was tried between its beginning and the next fault's: only then can it be told how the system came back.
	sent    bool   // a send was under way
	awaited uint64 // a bit for each group that got something, or waited for it
}

func (f *injected) hits() int64 { return max(f.Hits, f.struck) }

type faults struct {
	list   []*injected // as they began
	active []*injected // those that are not seen gone
	hits   map[hitKey][]*hit
}

// observe reads a stage of a fault; false: the fault never began.
func (fs *faults) observe(e *history.Event) bool {
	if e.Kind == history.FaultBegin {
		for _, f := range fs.list {
			if f.isGone {
				f.lag.over = true // the next fault begins
			}
		}
		f := &injected{FaultWindow: FaultWindow{Name: e.Name, What: e.Detail, Node: e.Node, Begin: e.At}}
		fs.list, fs.active = append(fs.list, f), append(fs.active, f)
		return true
	}
	f := fs.find(e)
	if f == nil {
		return false
	}
	switch e.Kind {
	case history.FaultSeen:
		f.isSeen, f.Seen = true, e.At
		f.Hits += int64(e.Value)
		if e.Node != "" {
			f.Node = e.Node // "leader" has a name now
		}
	case history.HealBegin:
		f.Heal = e.At
	case history.HealSeen:
		f.isGone, f.Gone = true, e.At
		fs.active = slices.DeleteFunc(fs.active, func(a *injected) bool { return a == f })
	}
	return true
}

// sending notes that a send begins.
func (fs *faults) sending() {
	if f := fs.last(); f != nil {
		f.sent = true
	}
	for _, f := range fs.active {
		f.exposed++
	}
}

// number is the place of a fault in the list; -1 for none.
func (fs *faults) number(f *injected) int { return slices.Index(fs.list, f) }

// last returns the latest fault, or nil.
func (fs *faults) last() *injected {
	if len(fs.list) == 0 {
		return nil
	}
	return fs.list[len(fs.list)-1]
}

// await notes that the group got something, or waits for something.
func (fs *faults) await(g *group) {
	if f := fs.last(); f != nil {
		f.awaited |= 1 << g.number
	}
}

// find returns the fault that this stage is of: the latest of its name that is not gone and of the same node; or, where one of
// the two does not tell its node, of any. What is told of another node is no stage of it.
func (fs *faults) find(e *history.Event) *injected {
	var found *injected
	for _, f := range slices.Backward(fs.list) {
		if f.Name != e.Name || f.isGone {
			continue
		}
		if f.Node == e.Node {
			return f
		}
		if found == nil && (f.Node == "" || e.Node == "") {
			found = f
		}
	}
	return found
}

// named returns the latest fault of this name, or nil.
func (fs *faults) named(name string) *injected {
	for _, f := range slices.Backward(fs.list) {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// during returns the latest fault whose window the span meets, or nil.
func (fs *faults) during(span Window, settle time.Duration) *injected {
	for _, f := range slices.Backward(fs.list) {
		if f.Begin <= span.To && (!f.isGone || f.Gone+int64(settle) >= span.From) {
			return f
		}
	}
	return nil
}

// windows lists the faults; more are the anomalies of each that were judged at the end.
func (fs *faults) windows(more map[*injected]map[string]int64) []FaultWindow {
	ws := make([]FaultWindow, 0, len(fs.list))
	for _, f := range fs.list {
		w := f.FaultWindow
		w.Hits, w.Exposed = f.hits(), f.exposed
		if len(f.anomalies)+len(more[f]) > 0 {
			w.Anomalies = make(map[string]int64)
			for _, counts := range []map[string]int64{f.anomalies, more[f]} {
				for name, n := range counts {
					w.Anomalies[name] += n
				}
			}
		}
		ws = append(ws, w)
	}
	return ws
}

// reasons says what is not known because of the faults.
func (fs *faults) reasons() []string {
	var why []string
	for _, f := range fs.list {
		name := cmp.Or(f.What, f.Name)
		switch {
		case !f.isSeen:
			why = append(why, "fault "+name+" was never seen in force")
		case f.hits() == 0:
			why = append(why, "fault "+name+" never struck anything")
		}
		if !f.isGone {
			why = append(why, "fault "+name+" was not seen gone by the end")
		}
	}
	return why
}
