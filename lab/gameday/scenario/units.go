package scenario

import (
	"slices"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// Duration is a time span in a scenario: "5s", or by timing: { quick: 5s, full: 5m }.
type Duration time.Duration

// Rate is messages per second: "2000/s", "90/m".
type Rate float64

// Size is bytes: "512B", "4KiB".
type Size int64

const (
	maxRate = 1e6
	maxSize = 1_000_000 // the embedded engine takes messages of 1 MiB, headers included
)

func (d Duration) String() string { return plain(time.Duration(d)) }

func (d *Duration) read(r *reader, n *node, path string) {
	switch n.kind {
	case mapping:
		*d = Duration(r.byTiming(n, path))
	case sequence:
		r.fail(n, path, `expected a duration like "5s", found %s`, n.kind)
	default:
		*d = Duration(r.duration(n, path))
	}
}

func (r *reader) duration(n *node, path string) time.Duration {
	d, err := criteria.ParseDuration(n.text)
	if err != nil {
		r.fail(n, path, "%v", err)
	}
	return d
}

// byTiming reads { quick: 5s, full: 5m } and returns the one that is chosen.
func (r *reader) byTiming(n *node, path string) (chosen time.Duration) {
	use := timed{at: n.at, path: path}
	for _, e := range n.entries {
		if e.value.kind != text && e.value.kind != other {
			r.failAt(e.at, "%s: timing %q: expected a duration like \"5s\", found %s", path, e.key, e.value.kind)
			continue
		}
		use.names = append(use.names, e.key)
		d := r.duration(e.value, joined(path, e.key))
		if e.key == r.timing || len(use.names) == 1 {
			chosen = d
		}
	}
	if len(n.entries) == 0 {
		r.fail(n, path, `expected a duration like "5s", found an empty mapping`)
		return 0
	}
	r.timings = append(r.timings, use)
	return chosen
}

// checkTimings sees that every place with timings has the same names, and that the chosen one exists. It returns the names.
func (r *reader) checkTimings(chosen *node) []string {
	var all []string
	for _, use := range r.timings {
		for _, name := range use.names {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	for _, use := range r.timings {
		for _, name := range all {
			if !slices.Contains(use.names, name) {
				r.failAt(use.at, "%s: no duration for timing %q, which other places have: add it", use.path, name)
			}
		}
	}
	known := all
	if len(known) == 0 {
		known = []string{"quick"}
	}
	for _, use := range r.needed {
		if name := use.names[0]; !slices.Contains(known, name) {
			r.failAt(use.at, "%s: unknown timing %q%s", use.path, name, remedy(name, known))
		}
	}
	if !slices.Contains(known, r.timing) {
		at := chosen
		if at == nil {
			at = &node{at: r.timings[0].at} // the default, and timings without it
		}
		r.fail(at, "timing", "unknown timing %q%s", r.timing, remedy(r.timing, known))
	}
	return all
}

func (v *Rate) read(r *reader, n *node, path string) {
	rate, err := criteria.ParseRate(n.text)
	switch {
	case n.kind == mapping || n.kind == sequence:
		r.fail(n, path, `expected a rate like "2000/s", found %s`, n.kind)
	case err != nil:
		r.fail(n, path, "%v", err)
	case rate <= 0:
		r.fail(n, path, "%q: a rate must be more than 0", n.text)
	case rate > maxRate:
		r.fail(n, path, "%q: a rate is at most 1000000/s", n.text)
	}
	*v = Rate(rate)
}

func (v *Size) read(r *reader, n *node, path string) {
	size, err := criteria.ParseSize(n.text)
	switch {
	case n.kind == mapping || n.kind == sequence:
		r.fail(n, path, `expected a size like "512B", found %s`, n.kind)
	case err != nil:
		r.fail(n, path, "%v", err)
	case size < 1 || size > maxSize:
		r.fail(n, path, "%q: a body is from 1B to 1MB", n.text)
	case size != float64(int64(size)):
		r.fail(n, path, "%q: not a whole number of bytes", n.text)
	}
	*v = Size(size)
}

func (v Rate) String() string {
	if v > 0 && v < 1 {
		return criteria.Count.Format(float64(v)*60) + "/m"
	}
	return criteria.PerSecond.Format(float64(v))
}

func (v Size) String() string {
	if v%1024 != 0 && v < 1e6 {
		return criteria.Count.Format(float64(v)) + "B"
	}
	return criteria.Bytes.Format(float64(v))
}
