package oracle

import (
	"slices"
	"strings"

	"github.com/havoqlab/havoq/history"
)

// Source is where a part of the history comes from, and what it cannot see.
type Source struct {
	Name  string   `json:"name"`            // "topic invoices"
	Group string   `json:"group,omitempty"` // what it tells the consumption of; "": it tells of the sends
	Blind []string `json:"blind"`           // the anomalies that it cannot see
}

// maxSources bounds what one judge keeps; with more, the verdict is unknown.
const maxSources = 64

// source reads where the events of a group come from.
func (j *Judge) source(e *history.Event) {
	if len(j.sources) == maxSources {
		j.wrong("too many sources")
		return
	}
	s := Source{Name: e.Name, Group: e.Group, Blind: []string{}}
	if e.Detail != "" {
		s.Blind = strings.Split(e.Detail, history.Blind)
	}
	for _, name := range s.Blind {
		if !slices.Contains(Names(), name) {
			j.wrong("sources that cannot see what this version does not know")
			return
		}
	}
	if e.Group != "" {
		g := j.group(e.Group)
		if g == nil {
			return
		}
		g.sourced = true
		g.blind = append(g.blind, s.Blind...)
		g.untimed, g.unordered = slices.Contains(g.blind, Late), slices.Contains(g.blind, Reordered)
	}
	j.sources = append(j.sources, s)
}

// blind returns a source because of which nobody can see the anomaly: the one that tells of the sends, or one of a group where no
// other group's events tell of it either. nil: somebody can.
func (j *Judge) blind(anomaly string) *Source {
	var first *Source
	for i := range j.sources {
		s := &j.sources[i]
		if !slices.Contains(s.Blind, anomaly) {
			continue
		}
		if s.Group == "" {
			return s
		}
		if first == nil {
			first = s
		}
	}
	for _, g := range j.list {
		if !slices.Contains(g.blind, anomaly) {
			return nil
		}
	}
	return first
}

// tellsLoss says whether what is missing in the group is lost: not where its source does not tell of losses, and another's does.
func (j *Judge) tellsLoss(g *group) bool {
	return !slices.Contains(g.blind, Lost) || j.blind(Lost) != nil
}

// beyond says whose part of a zero nobody can see.
func (j *Judge) beyond(anomaly string) string {
	var names []string
	for _, s := range j.sources {
		if slices.Contains(s.Blind, anomaly) {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + " cannot see it)"
}
