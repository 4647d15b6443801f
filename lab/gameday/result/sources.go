package result

import (
	"slices"
	"strings"

	"github.com/havoqlab/havoq/history"
)

// Source is where a part of the history comes from, if not from a recorded client of the queue.
type Source struct {
	Name  string `json:"name"`            // "topic invoices"
	Group string `json:"group,omitempty"` // under which its part stands in the account; "": what was sent
	// CannotSee lists the anomalies that this source cannot see: that they are not there proves nothing.
	CannotSee []string `json:"cannot_see"`
	// Messages is how many messages it told of. Of those sent, Missing is how many of them it did not tell of; Repeated is what it
	// told again, and Unknown what it told of messages that no other source knows.
	Messages int64 `json:"messages"`
	Missing  int64 `json:"missing"`
	Repeated int64 `json:"repeated"`
	Unknown  int64 `json:"unknown"`
	// Doubts say which messages it could not tell.
	Doubts []string `json:"doubts,omitempty"`
}

// maxSources bounds what is kept of a history that was made up.
const maxSources = 64

// sources follows what each source tells.
type sources struct {
	list []*Source
	sent int64
	odd  []string // what a source that was not announced could not tell
}

func (s *sources) begin(e *history.Event) {
	if s.of(e.Group) != nil || len(s.list) == maxSources {
		return
	}
	blind := []string{}
	if e.Detail != "" {
		blind = strings.Split(e.Detail, history.Blind)
	}
	s.list = append(s.list, &Source{Name: e.Name, Group: e.Group, CannotSee: blind})
}

func (s *sources) of(group string) *Source {
	i := slices.IndexFunc(s.list, func(x *Source) bool { return x.Group == group })
	if i < 0 {
		return nil
	}
	return s.list[i]
}

// processed counts what was told of a group: whether it is the first work on a message, and whether the message was sent.
func (s *sources) processed(group string, first, known bool) {
	source := s.of(group)
	switch {
	case source == nil:
	case !known:
		source.Unknown++
	case first:
		source.Messages++
	default:
		source.Repeated++
	}
}

func (s *sources) gap(e *history.Event) {
	if e.Name != history.GapSource {
		return
	}
	if source := s.of(e.Group); source != nil {
		source.Doubts = append(source.Doubts, e.Detail)
		return
	}
	s.odd = append(s.odd, e.Detail)
}

// doubts are what all sources could not tell.
func (s *sources) doubts() []string {
	out := slices.Clone(s.odd)
	for _, source := range s.list {
		out = append(out, source.Doubts...)
	}
	return out
}

func (s *sources) result() []Source {
	var out []Source
	for _, source := range s.list {
		x := *source
		if x.Group == "" {
			x.Messages = s.sent
		} else {
			x.Missing = max(s.sent-x.Messages, 0)
		}
		out = append(out, x)
	}
	return out
}
