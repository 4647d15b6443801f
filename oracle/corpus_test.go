package oracle_test

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/oracle"
)

const leastTales = 40

// corpus lists the histories in a folder, which are an error if they are too few.
func corpus(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err == nil && len(files) < leastTales {
		err = fmt.Errorf("the corpus in %s has %d histories, and must have at least %d", dir, len(files), leastTales)
	}
	return files, err
}

func tales(t *testing.T) []*tale {
	t.Helper()
	files, err := corpus("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var all []*tale
	for _, file := range files {
		all = append(all, readTale(t, file))
	}
	return all
}

func TestCorpus(t *testing.T) {
	for _, s := range tales(t) {
		t.Run(strings.TrimSuffix(filepath.Base(s.name), ".txt"), func(t *testing.T) {
			for _, difference := range s.differences(judgeWith(oracle.Config{Contract: s.contract}, s.events)) {
				t.Error(difference)
			}
		})
	}
}

// differences is what a judgement has otherwise than the tale expects.
func (s *tale) differences(r oracle.Result) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if r.Verdict != s.verdict {
		add("verdict %s, want %s; reasons: %q", r.Verdict, s.verdict, r.Reasons)
	}
	got := figures(r)
	for _, name := range oracle.Names() {
		if _, ok := s.expect[name]; !ok && got[name] != 0 {
			add("%s %v, and none is expected", name, got[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.expect)) {
		if math.Abs(got[name]-s.expect[name]) > 1e-9 {
			add("%s %v, want %v", name, got[name], s.expect[name])
		}
	}
	for _, c := range r.Checks {
		if want, ok := s.checks[c.Expr]; ok && c.Verdict != want {
			add("%s is %s, want %s", c.Expr, c.Verdict, want)
		}
	}
	for _, part := range s.reasons {
		if !strings.Contains(strings.Join(r.Reasons, "\n"), part) {
			add("the reasons %q do not say %q", r.Reasons, part)
		}
	}
	if (r.Verdict == oracle.Pass) != (len(r.Reasons) == 0) {
		add("verdict %s with reasons %q", r.Verdict, r.Reasons)
	}
	return all
}

// Every history that fails does so by the checks that it names: without one of them, the judgement of that check is gone, and
// without all of them nothing fails. And every check has such a history.
func TestEveryCheckIsNeeded(t *testing.T) {
	needed := map[string]int{}
	for _, s := range tales(t) {
		if (s.verdict == oracle.Fail) != (len(s.depends) > 0) {
			t.Errorf("%s: expects %s and depends on %q", s.name, s.verdict, s.depends)
		}
		full := s.judge(oracle.New(oracle.Config{Contract: s.contract}))
		for _, check := range s.depends {
			r := s.judge(oracle.NewWithout(oracle.Config{Contract: s.contract}, check))
			if fails(full)-fails(r) != 1 {
				t.Errorf("%s: without the check of %s, %d checks fail instead of %d", s.name, check, fails(r), fails(full)-1)
			}
			if len(s.depends) == 1 && r.Verdict == oracle.Fail {
				t.Errorf("%s: still fails without the check of %s", s.name, check)
			}
			needed[check]++
		}
		if fails(full) != len(s.depends) {
			t.Errorf("%s: %d checks fail, and it names %q", s.name, fails(full), s.depends)
		}
	}
	for _, check := range oracle.Promises() {
		if needed[check] == 0 {
			t.Errorf("no history in testdata depends on the check of %s", check)
		}
	}
}

func fails(r oracle.Result) (n int) {
	for _, c := range r.Checks {
		if c.Verdict == oracle.Fail {
			n++
		}
	}
	return n
}
