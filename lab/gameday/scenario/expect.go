package scenario

import (
	"maps"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/oracle"
)

func outcomes() []string { return []string{"pass", "fail", "unknown", "aborted"} }

func (e *Expect) read(r *reader, n *node, path string) {
	if n.kind != mapping {
		r.fail(n, path, `expected { verdict: fail, lost: "> 0" }, found %s`, n.kind)
		return
	}
	e.Bounds = map[string]string{}
	for _, en := range n.entries {
		switch {
		case en.value.kind == mapping || en.value.kind == sequence || en.value.kind == null:
			r.failAt(en.at, "%s: expected a word or a comparison like \"> 0\", found %s", joined(path, en.key), en.value.kind)
		case en.key == "verdict":
			e.Verdict = en.value.text
			if !slices.Contains(outcomes(), e.Verdict) {
				r.fail(en.value, joined(path, "verdict"), "unknown verdict %q%s", e.Verdict, remedy(e.Verdict, outcomes()))
			}
		default:
			r.bound(en, path)
			e.Bounds[en.key] = en.value.text
		}
	}
	if n.get("verdict") == nil {
		r.fail(n, path, "missing verdict: write one of %s", strings.Join(outcomes(), ", "))
	}
}

func (r *reader) bound(en entry, path string) {
	var names []string
	for _, m := range criteria.Counts() {
		names = append(names, m.Name)
	}
	if !slices.Contains(names, en.key) {
		r.failAt(en.at, "%s: unknown count %q%s", path, en.key, remedy(en.key, append(names, "verdict")))
		return
	}
	if _, err := criteria.ParseBound(en.key, en.value.text); err != nil {
		if en.value.kind == other {
			r.fail(en.value, joined(path, en.key), `%s: write a comparison, "== %s"`, en.value.text, en.value.text)
			return
		}
		r.fail(en.value, joined(path, en.key), `%q is not a comparison with a count: write "> 0" or "== 0"`, en.value.text)
	}
}

// String writes what is expected: "verdict fail, lost > 0".
func (e Expect) String() string {
	parts := []string{"verdict " + e.Verdict}
	for _, name := range slices.Sorted(maps.Keys(e.Bounds)) {
		parts = append(parts, name+" "+e.Bounds[name])
	}
	return strings.Join(parts, ", ")
}

// Met reports whether exactly what is expected came out, and if not, what came instead. A bound on a count that is not known
// is not met.
func (e Expect) Met(verdict oracle.Verdict, counts criteria.Source) (met bool, why string) {
	var wrong []string
	if string(verdict) != e.Verdict {
		wrong = append(wrong, "verdict is "+string(verdict)+", not "+e.Verdict)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Bounds)) {
		c, err := criteria.ParseBound(name, e.Bounds[name])
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		if got, _, reason := c.Eval(counts); got != oracle.Pass {
			wrong = append(wrong, reason)
		}
	}
	return len(wrong) == 0, strings.Join(wrong, "; ")
}
