package observe_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
)

// What a source cannot tell is said with the expression, the topic, how many there are, where the first is, and the remedy.
func TestGaps(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(x *trial)
		want []string // parts of the one gap
		rest []string // the account
	}{
		"an input without an ID": {
			func(x *trial) { x.send("orders", "a", "", "") },
			[]string{"source  2: ", `"header.id" gives no ID for 2 messages of topic "orders"`, "the first at position 2", "observe.input.id"},
			[]string{"sent 0 ok"},
		},
		"two inputs of one ID": {
			func(x *trial) { x.send("orders", "a", "b", "a", "a") },
			[]string{"source  2: ", `"header.id" gives 2 messages of topic "orders" the ID of an earlier one`, "the first at position 3", "tells all of them apart"},
			[]string{"sent 0 ok", "sent 1 ok"},
		},
		"an output without an ID": {
			func(x *trial) { x.send("invoices", "") },
			[]string{"source topic invoices 1: ", `"header.id" gives no ID for 1 messages of topic "invoices"`, "position 1", "observe.output.id"}, nil,
		},
		"a row without an ID": {
			func(x *trial) { x.table.add("", "") },
			[]string{"source table orders 2: ", "table orders has 2 rows without an ID"}, nil,
		},
		"messages that were gone": {
			func(x *trial) { x.gone("orders", 5); x.send("orders", "a") },
			[]string{"source  5: ", `5 messages left topic "orders" before havoq could read them`}, []string{"sent 0 ok"},
		},
		"a listing without an end": {
			func(x *trial) { x.table.add(make([]string, 1_000_001)...) },
			[]string{"source table orders 1: ", "it lists more than 1000000 IDs"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				x.during(t, func() { c.do(x); synctest.Wait() })
				if err := x.observer.Cut(t.Context()); err != nil {
					t.Fatal(err)
				}
				x.observer.Drain(t.Context(), time.Second)
				gaps := x.stories(history.Gap)
				if len(gaps) == 0 {
					t.Fatal("no gap is told")
				}
				for _, part := range c.want {
					if !strings.Contains(gaps[0], part) {
						t.Errorf("%q does not say %q", gaps[0], part)
					}
				}
				x.expect(t, account(), c.rest...)
			})
		})
	}
}

// Nobody is accused of work on what was never sent where not all that was sent was seen, and of a loss where not all work was seen.
func TestWhatIsNotSeenAccusesNobody(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(x *trial)
		want []string
	}{
		"an input that was gone": {
			func(x *trial) {
				x.gone("orders", 1)
				x.send("orders", "b")
				x.send("invoices", "a", "b")
				x.table.add("a", "b")
			},
			[]string{"sent 0 ok", "topic invoices 0", "table orders 0", "topic invoices ok 0", "table orders ok 0"},
		},
		"an input without an ID": {
			func(x *trial) { x.send("orders", "", "b"); x.send("invoices", "a", "b"); x.table.add("a", "b") },
			[]string{"sent 0 ok", "topic invoices 0", "table orders 0", "topic invoices ok 0", "table orders ok 0"},
		},
		"an output that was gone": {
			func(x *trial) { x.gone("invoices", 1); x.send("orders", "a"); x.table.add("a") },
			[]string{"sent 0 ok", "table orders 0", "topic invoices unknown -1", "table orders ok 0"},
		},
		"an output and a row without an ID": {
			func(x *trial) { x.send("orders", "a"); x.send("invoices", ""); x.table.add("") },
			[]string{"sent 0 ok", "topic invoices unknown -1", "table orders unknown -1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				x.during(t, func() { c.do(x); synctest.Wait() })
				x.drain(t)
				x.expect(t, append(account(), history.Drain), c.want...)
				if len(x.stories(history.Gap)) == 0 {
					t.Error("no gap is told")
				}
			})
		})
	}
}

// What still comes of messages that are too old to be read is not of this run.
func TestALongPast(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		x.send("orders", slices.Insert(slices.Repeat([]string{"older"}, 100_000), 0, "old")...)
		x.during(t, func() {
			x.send("orders", "new")
			x.send("invoices", "new", "old")
		})
		x.drain(t)
		x.expect(t, account(), "sent 0 ok", "topic invoices 0")
	})
}

func TestAnOutputWithoutItsOwnID(t *testing.T) {
	inBubble(t, func(t *testing.T, x *trial) {
		own := expression(t, "header.own")
		x.cfg.Output.Relation, x.cfg.Output.Own, x.cfg.Effect = 1, &own, nil
		x.during(t, func() {
			x.send("orders", "a")
			synctest.Wait()
			x.send("invoices", "a")
		})
		x.drain(t)
		if gaps := x.stories(history.Gap); len(gaps) != 1 || !strings.Contains(gaps[0], `"header.own" of observe.output.own gives no ID for 1 messages`) {
			t.Errorf("gaps %q", gaps)
		}
	})
}
