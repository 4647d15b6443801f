package observe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
)

// Collect has the application itself tell what it has processed: it posts to a history.Collector. Each of its groups is told
// as "app NAME", from its first record on.
type Collect struct {
	Listen string // "": a free port on loopback
}

// posts are the records that applications post.
type posts struct {
	o         *Observer
	collector *history.Collector
	url       string

	mu     sync.Mutex
	groups map[string]bool
	apps   map[string]*postingApp
	over   bool
}

// postingApp is one start of one program.
type postingApp struct {
	group       string    // "": it has not said yet
	began, last time.Time // by its own clock
	missing     uint64    // records that did not arrive
}

func (o *Observer) listen() (*posts, error) {
	p := &posts{o: o, groups: map[string]bool{}, apps: map[string]*postingApp{}}
	var err error
	if p.collector, err = history.NewCollector(history.CollectorConfig{Record: p.take, Logger: o.cfg.Logger}); err != nil {
		return nil, err
	}
	p.url, err = p.collector.Listen(o.cfg.Collect.Listen)
	return p, err
}

// CollectURL is where the application posts; "": nowhere.
func (o *Observer) CollectURL() string {
	if o.posts == nil {
		return ""
	}
	return o.posts.url
}

// take takes one record; the collector calls it for one at a time.
func (p *posts) take(r history.AppRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	a := p.apps[r.App]
	if a == nil {
		a = &postingApp{began: r.At}
		p.apps[r.App] = a
	}
	if r.Group != "" {
		a.group = "app " + r.Group
	}
	a.last = r.At
	switch r.What {
	case history.AppGap:
		a.missing += r.Count // its first record may say only now whose they are
	case history.AppProcessed:
		p.begin(a.group)
		p.o.book.listed(a.group, strings.Clone(r.ID), false)
	}
}

// begin announces a group; the caller holds the lock.
func (p *posts) begin(group string) {
	if p.groups[group] {
		return
	}
	p.groups[group] = true
	p.o.book.open(group)
	p.o.cfg.Recorder.Record(history.Event{
		Kind: history.Source, Group: group, Name: group, Detail: strings.Join(blindToDeliveries(), history.Blind),
	})
}

// end takes no more records and says of each group why its records may not be all; "": they are.
func (p *posts) end() (names []string, why map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	why = map[string]string{}
	for name := range p.groups {
		names = append(names, name)
		switch missing, killed := p.missing(name), p.killed(name); {
		case missing > 0:
			why[name] = fmt.Sprintf("%d records of %s did not arrive, so that nobody knows what it had processed", missing, name)
		case killed > 0:
			why[name] = fmt.Sprintf("%s was killed %d times with records that it may not have posted, so that nobody knows what it had "+
				"processed: give it a file instead, or add observe.output or observe.effect", name, killed)
		}
	}
	slices.Sort(names)
	return names, why
}

// missing counts the records of a group that did not arrive. Those of a program that never said its group may be any group's.
func (p *posts) missing(group string) (n uint64) {
	for _, a := range p.apps {
		if a.group == group || a.group == "" {
			n += a.missing
		}
	}
	return n
}

// killed counts the programs of a group that ended without a word: another one began after their last record, and they have not
// said that they end.
func (p *posts) killed(group string) (n int) {
	for _, s := range p.collector.Apps() {
		a := p.apps[s.App]
		if a == nil || a.group != group || s.Ended {
			continue
		}
		for _, other := range p.apps {
			if other != a && other.group == group && other.began.After(a.last) {
				n++
				break
			}
		}
	}
	return n
}

func (p *posts) close(ctx context.Context) error { return p.collector.Close(ctx) }
