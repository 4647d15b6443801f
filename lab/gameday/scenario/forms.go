package scenario

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// maxSpan bounds every stretch of time in a scenario.
const maxSpan = 24 * time.Hour

// words lists what the values of until may be.
func words() []string { return []string{"decided"} }

func (s *Span) read(r *reader, n *node, path string) {
	if n.kind != mapping || timings(n) {
		var d Duration
		d.read(r, n, path)
		s.For = time.Duration(d)
		r.positive(n, path, s.For)
		return
	}
	r.onlyKeys(n, path, "until", "max")
	until, limit := n.get("until"), n.get("max")
	switch {
	case until == nil || until.kind == null:
		r.fail(n, path, `missing until: write "5s", or { until: decided, max: 35s }`)
	case !slices.Contains(words(), until.text):
		r.fail(until, path, "until: unknown word %q%s", until.text, remedy(until.text, words()))
	default:
		s.Until = until.text
	}
	if limit == nil || limit.kind == null {
		r.fail(n, path, "missing max: a wait without a limit never ends, write { until: decided, max: 35s }")
		return
	}
	var d Duration
	d.read(r, limit, joined(path, "max"))
	s.For = time.Duration(d)
	r.positive(limit, joined(path, "max"), s.For)
}

// timings tells { quick: 5s, full: 5m } from a mapping with keys of its own.
func timings(n *node) bool {
	for _, e := range n.entries {
		if e.key == "until" || e.key == "max" {
			return false
		}
		if _, err := criteria.ParseDuration(e.value.text); err != nil {
			return false
		}
	}
	return true
}

func (r *reader) positive(n *node, path string, d time.Duration) {
	switch {
	case r.failed(n.at):
	case d <= 0:
		r.fail(n, path, "must be more than 0s")
	case d > maxSpan:
		r.fail(n, path, "%s is too long: at most 24h", plain(d))
	}
}

// failed reports whether the last mistake was found here: one at a place is enough.
func (r *reader) failed(at place) bool {
	if len(r.errs) == 0 {
		return false
	}
	last := r.errs[len(r.errs)-1]
	return last.File == at.source && last.Line == at.line && last.Column == at.col
}

func (r *reader) onlyKeys(n *node, path string, keys ...string) {
	for _, e := range n.entries {
		if !slices.Contains(keys, e.key) {
			r.failAt(e.at, "%s: unknown key %q%s", path, e.key, remedy(e.key, keys))
		}
	}
}

func (i *Inject) read(r *reader, n *node, path string) {
	if n.kind == mapping {
		r.structure(n, &i.Act, path)
		return
	}
	i.Names = r.names(n, path, "an act like { kill: leader }, or names of faults")
	r.later(func(s *Scenario) {
		for j, name := range i.Names {
			r.known(s, itemOf(n, j), path, name)
		}
	})
}

func (c *Recover) read(r *reader, n *node, path string) {
	if n.kind == mapping {
		c.readStart(r, n, path)
		return
	}
	if n.kind == text && n.text == "all" {
		return
	}
	c.Names = r.names(n, path, `"all", names of faults, or { start: n1 }`)
	r.later(func(s *Scenario) {
		for j, name := range c.Names {
			if name == "all" {
				r.fail(itemOf(n, j), path, `write "all" alone, not in a list`)
				continue
			}
			r.known(s, itemOf(n, j), path, name)
		}
	})
}

func (c *Recover) readStart(r *reader, n *node, path string) {
	r.onlyKeys(n, path, "start", "wipe")
	start := n.get("start")
	if start == nil || start.kind != text {
		r.fail(n, path, "missing start: write { start: n1 }, or { start: n1, wipe: true } for an empty disk")
		return
	}
	c.Start = start.text
	if wipe := n.get("wipe"); wipe != nil {
		r.value(wipe, reflect.ValueOf(&c.Wipe).Elem(), joined(path, "wipe"))
	}
	r.later(func(s *Scenario) { r.checkNode(s, start, joined(path, "start"), nodeNames(s)) })
}

// names reads one name or a list of names.
func (r *reader) names(n *node, path, expected string) []string {
	items := []*node{n}
	if n.kind == sequence {
		items = n.items
	}
	if len(items) == 0 {
		r.fail(n, path, "an empty list: expected %s", expected)
	}
	var out []string
	for _, item := range items {
		if item.kind != text {
			r.fail(item, path, "expected %s, found %s", expected, item.kind)
			return nil
		}
		out = append(out, item.text)
	}
	return out
}

// itemOf is the node of the j-th name that names read.
func itemOf(n *node, j int) *node {
	if n.kind == sequence {
		return n.items[j]
	}
	return n
}

func (r *reader) known(s *Scenario, n *node, path, name string) {
	if _, ok := s.Fault(name); ok {
		return
	}
	var all []string
	for _, f := range s.Faults {
		all = append(all, f.Name)
	}
	if len(all) == 0 {
		r.fail(n, path, "unknown fault %q: the scenario has no faults: list, write an act like { kill: leader }", name)
		return
	}
	r.fail(n, path, "unknown fault %q%s", name, remedy(name, all))
}

func (l *Load) read(r *reader, n *node, path string) {
	if n.kind != mapping {
		r.fail(n, path, "expected { rate: 10x, for: 5s }, found %s", n.kind)
		return
	}
	r.onlyKeys(n, path, "rate", "for")
	rate, span := n.get("rate"), n.get("for")
	if rate == nil || span == nil || rate.kind == null || span.kind == null {
		r.fail(n, path, "needs a rate and a time: write { rate: 10x, for: 5s }")
		return
	}
	if factor, ok := strings.CutSuffix(rate.text, "x"); ok {
		f, err := strconv.ParseFloat(factor, 64)
		if err != nil || strings.Trim(factor, "0123456789.") != "" || f <= 0 || f > 1000 {
			r.fail(rate, joined(path, "rate"), "%q: a multiple of the workload's rate is more than 0x and at most 1000x", rate.text)
		}
		l.Factor = f
	} else {
		l.Rate.read(r, rate, joined(path, "rate"))
	}
	var d Duration
	d.read(r, span, joined(path, "for"))
	l.For = time.Duration(d)
	r.positive(span, joined(path, "for"), l.For)
}
