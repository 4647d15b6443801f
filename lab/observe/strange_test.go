package observe_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// A group of which no ID is one of the input accuses nobody, neither of losses nor of work on what was never sent: what it shows is
// not the IDs. One match is enough to believe it.
func TestIDsThatAreNoneOfTheInput(t *testing.T) {
	long := strings.Repeat("x", 400)
	for name, c := range map[string]struct {
		do    func(x *trial)
		group string
		want  []string // parts of its end; nil: it is proven
		rest  []string // the account
	}{
		"another column": {
			func(x *trial) {
				x.send("orders", "a", "b")
				synctest.Wait()
				x.send("invoices", "a", "b")
				x.table.add("1", "2", "3")
			}, "table orders",
			[]string{
				"none of the 3 IDs of table orders (the first: \"1\") is one of the 2 of topic \"orders\" (the first: \"a\")", "observe.effect",
				"\"header.id\" of observe.input.id",
			},
			[]string{"sent 0 ok", "sent 1 ok", "topic invoices 0", "topic invoices 1"},
		},
		"another field of the output": {
			func(x *trial) { x.send("orders", "a"); synctest.Wait(); x.send("invoices", long); x.table.add("a") }, "topic invoices",
			[]string{"none of the 1 IDs of topic invoices", strings.Repeat("x", 40) + "…\"", "\"header.id\" of observe.output.id"},
			[]string{"sent 0 ok", "table orders 0"},
		},
		"another topic": {
			func(x *trial) { x.send("invoices", "a", "b") }, "topic invoices",
			[]string{"topic invoices shows 2 IDs (the first: \"a\"), and topic \"orders\" got no message in the run", "observe.input.topic"}, nil,
		},
		"one of them": {
			func(x *trial) {
				x.send("orders", "a")
				synctest.Wait()
				x.send("invoices", "a", "ghost")
				x.table.add("a")
			}, "topic invoices", nil,
			[]string{"sent 0 ok", "topic invoices 0", "table orders 0", "topic invoices 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				x.during(t, func() { c.do(x); synctest.Wait() })
				x.drain(t)
				x.expect(t, account(), c.rest...)
				x.expectDoubt(t, c.group, c.want)
			})
		})
	}
}

// A column that has the same values before and in the run, and not the IDs.
func TestRowsOfBeforeThatAreNoIDs(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.table.add("shipped")
		x.during(t, func() {
			x.send("orders", "a")
			x.send("invoices", "a")
			x.table.add("shipped")
		})
		x.drain(t)
		x.expectDoubt(t, "table orders", []string{"none of the 1 IDs of table orders (the first: \"shipped\")"})
	})
}

// A listing that could be made only late has old rows, which may be those of the run by another column.
func TestALateListingOfAnotherColumn(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.table.fail(errDown)
		x.during(t, func() {
			x.send("orders", "a")
			x.send("invoices", "a")
			x.table.add("1")
			x.settle()
			x.table.fail(nil)
		})
		x.drain(t)
		x.expectDoubt(t, "table orders", []string{"none of the 1 IDs of table orders"})
	})
}

// IDs that are used again: the rows of before the run say nothing of its messages.
func TestRowsOfBeforeWithIDsOfTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		later []string // rows
		want  []string
	}{
		"no further rows": {
			[]string{"c"}, []string{"table orders had rows before the run with the IDs of 2 messages of this run", "the first at position 1: \"a\"", "begin with an empty one"},
		},
		"further rows": {[]string{"a", "b", "c"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				x.table.add("a", "b")
				x.during(t, func() {
					x.send("orders", "a", "b", "c")
					x.send("invoices", "a", "b", "c")
					x.table.add(c.later...)
				})
				x.drain(t)
				x.expectDoubt(t, "table orders", c.want)
			})
		})
	}
}

// expectDoubt sees that the group's end is not proven and says these parts, as does a gap; nil: it is proven, and nothing is doubted.
func (x *trial) expectDoubt(t *testing.T, group string, want []string) {
	t.Helper()
	end, gaps := x.drains()[group], strings.Join(x.stories(history.Gap), "\n")
	if proven := end.Outcome == queue.OK; proven != (want == nil) || proven != (gaps == "") {
		t.Errorf("the end: %+v, gaps: %s", end, gaps)
	}
	for _, part := range want {
		if !strings.Contains(end.Detail, part) || !strings.Contains(gaps, part) {
			t.Errorf("the end %q and the gaps %q do not say %q", end.Detail, gaps, part)
		}
	}
}
