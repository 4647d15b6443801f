package observe_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
)

// Grace alone proves a loss only where the application went on behind what is missing, and was never seen to take half as long.
func TestWhatGraceAloneProves(t *testing.T) {
	for name, c := range map[string]struct {
		grace time.Duration
		work  func(x *trial) // on a, b, c
		late  func(x *trial) // behind the cut
		want  []string       // parts of the end; nil: proven
	}{
		"all":            {2 * time.Second, func(x *trial) { x.after(10*time.Second, "a", "b", "c") }, nil, nil},
		"a quick hole":   {4 * time.Second, func(x *trial) { x.after(2*time.Second, "a", "c") }, nil, nil},
		"nothing at all": {time.Minute, func(*trial) {}, nil, []string{"the grace of 1m0s", "3 messages are missing in topic invoices", "observe.group"}},
		"only the tail":  {time.Minute, func(x *trial) { x.after(0, "a") }, nil, []string{"2 messages are missing", "may stand still or only be slow"}},
		"only the tail, and work behind the cut": {
			4 * time.Second, func(x *trial) { x.after(time.Second, "a") }, func(x *trial) { x.send("orders", "d"); x.send("invoices", "d") }, nil,
		},
		"work behind the cut that is seen before its input": {
			4 * time.Second, func(x *trial) { x.after(time.Second, "a") }, func(x *trial) {
				x.send("invoices", "d")
				synctest.Wait()
				x.send("orders", "d")
			}, nil,
		},
		"a slow hole": {
			4 * time.Second, func(x *trial) { x.after(2*time.Second+time.Millisecond, "a", "c") }, nil,
			[]string{"the grace of 4s", "1 messages are missing in topic invoices", "another one took 2.001s", "observe.group", "observe.grace: 5s or more"},
		},
		"a hole, and one that came twice, late": {
			4 * time.Second, func(x *trial) { x.after(0, "a", "c"); x.after(3*time.Second, "a") }, nil, []string{"another one took 3s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				x.cfg.Group, x.cfg.Grace, x.cfg.Effect = "", c.grace, nil
				x.during(t, func() {
					x.send("orders", "a", "b", "c")
					synctest.Wait()
					c.work(x)
				})
				if err := x.observer.Cut(t.Context()); err != nil {
					t.Fatal(err)
				}
				if c.late != nil {
					c.late(x)
				}
				d := x.observer.Drain(t.Context(), 30*time.Second)
				end := x.drains()["topic invoices"]
				if proven := c.want == nil; d.Proven != proven || (end.Outcome == queue.OK) != proven {
					t.Errorf("drained: %+v, the end: %+v", d, end)
				}
				for _, part := range c.want {
					if !strings.Contains(end.Detail, part) || d.Reason != end.Detail || d.Left != -1 {
						t.Errorf("drained %+v, and %q does not say %q", d, end.Detail, part)
					}
				}
			})
		})
	}
}

// What one group lacks is no doubt of another one.
func TestGraceIsEachGroupsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.cfg.Group = ""
		x.during(t, func() {
			x.send("orders", "a", "b")
			x.send("invoices", "a", "b")
			x.table.add("a")
		})
		if d := x.drain(t); d.Proven || !strings.Contains(d.Reason, "table orders") {
			t.Errorf("drained: %+v", d)
		}
		x.expect(t, []history.Kind{history.Drain}, "topic invoices ok 0", "table orders unknown -1")
	})
}

// after lets time pass and sends invoices.
func (x *trial) after(d time.Duration, ids ...string) {
	bubble.Sleep(d)
	x.send("invoices", ids...)
	synctest.Wait()
}
