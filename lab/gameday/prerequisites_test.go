package gameday

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func TestPrerequisites(t *testing.T) {
	yes := func(context.Context, string) (bool, error) { return true, nil }
	for name, c := range map[string]struct {
		list    string
		confirm func(context.Context, string) (bool, error)
		says    []string // the error; none: the run goes on
	}{
		"check holds":           {`[ { check: cluster.nodes >= 3 }, { check: workload.producers == 2 } ]`, nil, nil},
		"check fails":           {`[ { check: cluster.nodes >= 5 } ]`, nil, []string{"cluster.nodes >= 5", "is 3, not >= 5"}},
		"confirmed":             {`[ { confirm: the pager is off } ]`, yes, nil},
		"nobody to ask":         {`[ { confirm: the pager is off } ]`, nil, []string{"the pager is off", "--yes"}},
		"not for this timing":   {`[ { confirm: the pager is off, timing: full } ]`, nil, nil},
		"refused":               {`[ { confirm: the pager is off } ]`, func(context.Context, string) (bool, error) { return false, nil }, []string{"the pager is off", "not confirmed"}},
		"cannot be asked":       {`[ { confirm: the pager is off } ]`, func(context.Context, string) (bool, error) { return false, errAct }, []string{"the pager is off", errAct.Error()}},
		"the first that is not": {`[ { check: cluster.nodes >= 9 }, { confirm: the pager is off } ]`, yes, []string{"cluster.nodes >= 9"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTrial(t, "prerequisites: "+c.list+"\nphases: [ { baseline: { quick: 1s, full: 2s } } ]\n")
				x.cfg.Confirm = c.confirm
				x.run(t)
				if c.says == nil {
					x.verdict(t, "pass")
					return
				}
				x.fails(t, c.says...)
				if x.res != nil {
					t.Error("a verdict of a run that did not begin")
				}
				if cannot := strings.HasPrefix(name, "cannot"); errors.Is(x.err, ErrPrerequisite) == cannot {
					t.Errorf("error %v", x.err)
				}
			})
		})
	}
}

// What was asked and answered stands in the log, and the question comes after everything that was told before.
func TestPrerequisiteIsOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrial(t, "prerequisites: [ { check: cluster.nodes == 3 }, { confirm: the pager is off } ]\nphases: [ { baseline: 1s } ]\n")
		x.cfg.Confirm = func(_ context.Context, question string) (bool, error) {
			if told := x.told(Target); question != "the pager is off" || len(told) != 1 {
				t.Errorf("asked %q, told before: %q", question, told)
			}
			return true, nil
		}
		x.run(t)
		x.verdict(t, "pass")
		var notes []string
		for _, e := range x.events(t, history.Note) {
			notes = append(notes, e.Name+": "+e.Detail)
		}
		if want := []string{"havoq: prerequisite cluster.nodes == 3 holds: 3", "executor: confirmed: the pager is off"}; cmp.Diff(want, notes) != "" {
			t.Errorf("notes %q", notes)
		}
	})
}

// Where nobody is there to be asked, nothing is started, and no folder made.
func TestNobodyToAsk(t *testing.T) {
	x := newTrial(t, "prerequisites: [ { confirm: the pager is off } ]\nphases: [ { baseline: 1s } ]\n")
	x.cfg.start = func(context.Context, *run) (target, error) { t.Error("started"); return nil, errAct }
	x.run(t)
	x.fails(t, "the pager is off")
	if left, _ := os.ReadDir(x.cfg.Out); len(left) != 0 || x.dir != "" {
		t.Errorf("left behind: %v", left)
	}
}

func TestConfigThatIsNotComplete(t *testing.T) {
	for _, cfg := range []Config{{}, {Open: func(context.Context, string, *slog.Logger) (queue.Queue, error) { return nil, nil }}} {
		if res, _, err := Run(t.Context(), cfg); err == nil || res != nil {
			t.Errorf("%+v: %v %v", cfg, res, err)
		}
	}
}
