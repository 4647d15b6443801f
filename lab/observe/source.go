package observe

import (
	"strings"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
)

// sources tells where the history comes from, and what each source cannot see.
func (o *Observer) sources() {
	tell := func(group, name string, blind []string) {
		o.cfg.Recorder.Record(history.Event{Kind: history.Source, Group: group, Name: name, Detail: strings.Join(blind, history.Blind)})
	}
	tell("", "topic "+o.cfg.Input.Name, blindToSends())
	if out := o.cfg.Output; out != nil {
		tell(out.Group, out.Group, out.blind())
	}
	if e := o.cfg.Effect; e != nil {
		tell(e.Group, e.Group, blindToDeliveries())
	}
}

// blindToSends is what a topic does not show of those who send to it: what they tried, and what they waited for.
func blindToSends() []string { return []string{oracle.Reordered, oracle.FailedButDelivered} }

// blindToDeliveries is what the outcome of the work does not show of the deliveries that led to it.
func blindToDeliveries() []string {
	return []string{oracle.Redelivered, oracle.Reordered, oracle.Corrupted, oracle.FailedButDelivered, oracle.Late}
}

func (out *Output) blind() []string {
	blind := blindToDeliveries()
	switch {
	case out.Relation == Filtered:
		blind = append(blind, oracle.Lost)
	case out.Relation == OneToMany && out.Own == nil:
		blind = append(blind, oracle.Duplicated)
	}
	return blind
}
