package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxApps is how many applications, or starts of one, are told apart.
const maxApps = 4096

// AppState is what is known of one application, or of one start of it.
type AppState struct {
	App     string
	Client  string
	Group   string
	Records uint64    // lines that came, but for begin and end
	Missing uint64    // lines that did not, so far
	Ended   bool      // it ended in order: nothing came after its last line. Else its last records may never have been told
	Last    time.Time // its last line's
}

// appTracker finds out by their numbers which lines are missing, and which came before.
type appTracker struct {
	apps map[string]*appProgress
}

type appProgress struct {
	AppState
	next uint64
}

// take returns what r adds to the records: nothing if it came before, and a gap in front of it if others are missing.
func (t *appTracker) take(r AppRecord) ([]AppRecord, error) {
	p := t.apps[r.App]
	if p == nil {
		if len(t.apps) >= maxApps {
			return nil, fmt.Errorf("more than %d applications: is app another name for every record?", maxApps)
		}
		if t.apps == nil {
			t.apps = map[string]*appProgress{}
		}
		p = &appProgress{AppState: AppState{App: r.App}}
		t.apps[r.App] = p
	}
	switch {
	case r.Seq < p.next:
		return nil, nil
	case p.Ended:
		return nil, fmt.Errorf("app %s goes on after its end", r.App)
	}
	var add []AppRecord
	if missing := r.Seq - p.next; missing > 0 {
		p.Missing += missing
		add = append(add, AppRecord{What: AppGap, App: r.App, Seq: p.next, At: r.At, Client: p.Client, Group: p.Group, Count: missing})
	}
	p.next = r.Seq + 1
	p.note(&r)
	return append(add, r), nil
}

func (p *appProgress) note(r *AppRecord) {
	switch r.What {
	case AppBegin:
	case AppEnd:
		p.Ended = true
	default:
		p.Records++
	}
	if r.Client != "" {
		p.Client = r.Client
	}
	if r.Group != "" {
		p.Group = r.Group
	}
	p.Last = r.At
}

// states returns what is known of all, by name.
func (t *appTracker) states() []AppState {
	all := make([]AppState, 0, len(t.apps))
	for _, p := range t.apps {
		all = append(all, p.AppState)
	}
	slices.SortFunc(all, func(a, b AppState) int { return strings.Compare(a.App, b.App) })
	return all
}
