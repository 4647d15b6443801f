package oracle_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// toldIn is a judge that was told this, in the words of testdata/README, at these times.
func toldIn(t *testing.T, config oracle.Config, text string) *oracle.Judge {
	t.Helper()
	s := parseTale(t, "told", text)
	if config.Contract.Delivery == "" {
		config.Contract = s.contract
	}
	j := oracle.New(config)
	s.judge(j)
	return j
}

// Two judges of one run, each told a part, and what they come to together, whichever takes in the other one.
func TestMergedCases(t *testing.T) {
	const contract = "contract at-least-once\n"
	tests := []struct {
		name, a, b string
		want       string // as in a tale
	}{
		{
			"shards of two groups, numbered the other way round",
			"life g1 p1 0..3\n life g2 p1 4\n done g1 p1 4\n done g2 p1 0..3\n @1s drain g1\n drain g2\n end",
			"life g2 p2 0..3\n life g1 p2 4\n done g2 p2 4\n done g1 p2 0..2\n @1s drain g1\n drain g2\n end",
			"expect fail offered=10 acked=10 delivered=19 processed=19 deliveries=19 attempts=10 lost=1 lost.unexplained=1 middle=1",
		}, {
			"a group that one of them never saw reads the stream all the same",
			"life g1 p1 0..3\n @1s drain g1\n drain g2\n end",
			"life g2 p2 0..3\n done g1 p2 0..3\n @1s drain g1\n drain g2\n end",
			"expect fail offered=8 acked=8 delivered=12 processed=12 deliveries=12 attempts=8 lost=4 lost.unexplained=4 tail=4",
		}, {
			"the end was told to one: the other was cut off",
			"life g p1 0..3\n @1s drain g\n end",
			"life g p2 0..3\n @1s drain g",
			"expect unknown offered=8 acked=8 delivered=8 processed=8 deliveries=8 attempts=8\n reason no end",
		}, {
			"drained, and the other one acked later",
			"life g p1 0..3\n @1s drain g\n @3s end",
			"life g p2 0..3\n @2s send p2 4\n @3s end",
			"expect unknown offered=9 acked=9 delivered=8 processed=8 deliveries=8 attempts=9 unaccounted=1\n reason messages were acked after its drain",
		}, {
			"drained, and the other one delivered later",
			"life g p1 0..3\n @1s drain g\n @3s end",
			"life g p2 0..3\n send p2 4\n @2s done g p2 4\n @3s end",
			"expect unknown offered=9 acked=9 delivered=9 processed=9 deliveries=9 attempts=9\n reason it got messages after its drain",
		}, {
			"drained, and the other one delivered what nobody knows later",
			"contract at-least-once allow=unexpected\n life g p1 0..3\n @1s drain g\n @3s end",
			"contract at-least-once allow=unexpected\n life g p2 0..3\n @2s deliver g p9 0 damage=foreign\n @3s end",
			"expect unknown offered=8 acked=8 delivered=8 processed=8 deliveries=9 attempts=8 unexpected=1 unexpected.unexplained=1\n reason it got messages after its drain",
		}, {
			"the later drain counts",
			"life g p1 0..3\n @1s drain g left=2\n @3s end",
			"life g p2 0..3\n @2s drain g\n @3s end",
			"expect pass offered=8 acked=8 delivered=8 processed=8 deliveries=8 attempts=8",
		}, {
			"the later drain counts, and was not proven",
			"life g p1 0..3\n @1s drain g\n @3s end",
			"life g p2 0..2\n send p2 3\n @2s drain g left=1 outcome=unknown\n @3s end",
			"expect unknown offered=8 acked=8 delivered=7 processed=7 deliveries=7 attempts=8 queued=1\n reason the broker holds 1 more",
		}, {
			"faults that one of them was told of, and hits of their own",
			"contract exactly-once forgive=caused\n fault kill n1 hits=0 node=n1\n @10ms fault lose n2 node=n2\n life g p1 0\n send p1 1,2\n hit lose p1 1\n " +
				"life g p1 3\n @20ms healed lose n2 node=n2\n healed kill n1 node=n1\n @5s drain g\n end",
			"contract exactly-once forgive=caused\n @10ms fault lose n2 node=n2\n life g p2 0\n send p2 1\n hit lose p2 1\n life g p2 2\n " +
				"@20ms healed lose n2 node=n2\n @5s drain g\n end",
			"expect fail offered=7 acked=7 delivered=4 processed=4 deliveries=4 attempts=7 lost=3 lost.caused=2 lost.during=1 middle=3 " +
				"begin=0.001 seen=0.002 heal=0.022 gone=0.023",
		}, {
			"sends and what came of them",
			"reserve p1 0 100\n send p1 0..4\n failed p1 9\n invoke p1 5\n failed p1 5\n invoke p1 6\n unknown p1 6\n @1s end",
			"@50ms done g p1 0..3\n done g p1 5,6\n drain g\n @1s end",
			"expect fail offered=7 acked=5 failed=1 in_doubt=1 delivered=6 processed=4 in_doubt_processed=1 deliveries=6 attempts=7 lost=1 " +
				"lost.unexplained=1 middle=1 failed_but_delivered=1 failed_but_delivered.unexplained=1\n reason outcomes of messages",
		}, {
			"a sequence that one of them knows to be reserved",
			"reserve p1 0 100\n send p1 0..4\n @1s end",
			"@50ms done g p1 0..4\n done g p1 7\n drain g\n @1s end",
			"expect fail offered=5 acked=5 delivered=5 processed=5 deliveries=6 attempts=5 unexpected=1 unexpected.unexplained=1",
		}, {
			"worked on twice, once at each",
			"contract exactly-once\n life g p1 0..4\n @1s drain g\n end",
			"contract exactly-once\n @50ms done g p1 2\n @1s drain g\n end",
			"expect fail offered=5 acked=5 delivered=5 processed=5 processed_twice=1 deliveries=6 attempts=5 redelivered=1 redelivered.unexplained=1 " +
				"duplicated=1 duplicated.unexplained=1",
		}, {
			"delivered at both, worked on once: whether an ack came between is not known",
			"contract exactly-once\n life g p1 0..4\n @1s drain g\n end",
			"contract exactly-once\n @50ms deliver g p1 2\n @1s drain g\n end",
			"expect unknown offered=5 acked=5 delivered=5 processed=5 deliveries=6 attempts=5 redelivered=1 redelivered.unexplained=1\n" +
				"check duplicated unknown\n reason what came between the deliveries of 1 messages is not known",
		}, {
			"late and out of order, as far as one of them knows",
			"contract at-least-once order=key max-delay=100ms\n send p1 0..2 back=1\n deliver g p1 2\n @1s deliver g p1 0\n deliver g p1 1\n " +
				"process g p1 1..2\n @2s drain g\n end",
			"contract at-least-once order=key max-delay=100ms\n @10ms deliver g p1 0\n deliver g p1 1\n process g p1 0\n @2s drain g\n end",
			"expect unknown offered=3 acked=3 delivered=3 processed=3 deliveries=5 attempts=3 pairs=2 redelivered=2 redelivered.unexplained=2\n" +
				"check late unknown\n check reordered unknown\n reason the order of 3 messages is not known",
		}, {
			"sources that both tell of, and one",
			"source g table blind=late,duplicated\n life g p1 0..3\n @1s drain g\n end",
			"source g table blind=late,duplicated\n source - topic\n life g p2 0..3\n @1s drain g\n end",
			"expect pass offered=8 acked=8 delivered=8 processed=8 deliveries=8 attempts=8",
		}, {
			"gaps and what was not sent",
			"contract at-least-once order=key\n send p1 0,1 back=1\n done g p1 0,1\n gap keys 3\n notsent 4\n @1s drain g\n end",
			"contract at-least-once order=key\n life g p2 0..3\n gap keys 4\n notsent 2\n @1s drain g\n end",
			"expect unknown offered=6 acked=6 delivered=6 processed=6 deliveries=6 attempts=6 not_sent=6 pairs=1\n reason the recorder forgot 7 keys",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := test.a, test.b
			if !strings.HasPrefix(a, "contract") {
				a, b = contract+a, contract+b
			}
			fix := func(s string) string { return strings.ReplaceAll(s, "\\n", "\n") }
			want := parseTale(t, test.name, test.want)
			var results []oracle.Result
			for _, pair := range [][2]string{{a, b}, {b, a}} {
				j := toldIn(t, oracle.Config{}, fix(pair[0]))
				if err := j.Merge(toldIn(t, oracle.Config{}, fix(pair[1]))); err != nil {
					t.Fatal(err)
				}
				results = append(results, j.Result())
			}
			check(t, want, results[0])
			if !reflect.DeepEqual(results[0], results[1]) {
				t.Errorf("%+v, the other way round %+v", results[0], results[1])
			}
		})
	}
}

// check holds a result against a tale's expectations.
func check(t *testing.T, want *tale, r oracle.Result) {
	t.Helper()
	if r.Verdict != want.verdict {
		t.Errorf("verdict %s %q, expected %s", r.Verdict, r.Reasons, want.verdict)
	}
	got := figures(r)
	for name, n := range want.expect {
		if got[name] != n {
			t.Errorf("%s: %v, expected %v", name, got[name], n)
		}
	}
	for _, name := range oracle.Names() {
		if want.expect[name] != got[name] {
			t.Errorf("%s: %v", name, got[name])
		}
	}
	for _, c := range r.Checks {
		if v, ok := want.checks[c.Expr]; ok && v != c.Verdict {
			t.Errorf("%s is %s, expected %s", c.Expr, c.Verdict, v)
		}
	}
	for _, reason := range want.reasons {
		if !strings.Contains(strings.Join(r.Reasons, "\n"), reason) {
			t.Errorf("reasons %q, expected %q", r.Reasons, reason)
		}
	}
}

// What cannot be merged is refused, and nothing is changed.
func TestMergeRefuses(t *testing.T) {
	many := func(prefix string, n int) string {
		var b strings.Builder
		b.WriteString("send p1 0\n")
		for i := range n {
			fmt.Fprintf(&b, "deliver %s%d p1 0\n", prefix, i)
		}
		return b.String()
	}
	sources := func(prefix string) string {
		var b strings.Builder
		for i := range 40 {
			fmt.Fprintf(&b, "source - %s%d\n", prefix, i)
		}
		return b.String()
	}
	tests := []struct{ name, a, b, want string }{
		{"contracts", "contract exactly-once\n life g p1 0", "contract at-least-once\n life g p2 0", "different contracts"},
		{"what is forgiven", "contract exactly-once forgive=caused\n life g p1 0", "contract exactly-once\n life g p2 0", "different contracts"},
		{"runs", "send p1 0", "send p1 0 run=8", "different runs, "},
		{"runs, where one knows of no sends", "send p1 0", "deliver g p1 0 run=8", "different runs, "},
		{"groups", many("a", 40), many("b", 40), "80 groups, and 64"},
		{"sources", sources("a"), sources("b"), "80 sources, and 64"},
		{"what was sent", "send p1 0..3\n reserve p1 4 1000000", "deliver g p1 900000", "merge their histories"},
		{"what was hit", "contract exactly-once forgive=caused\n fault duplicate\n send p1 0\n hit duplicate p1 0",
			"contract exactly-once forgive=caused\n @1s done g p1 0\n done g p1 0", "only the other one was told of hits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := toldIn(t, oracle.Config{}, test.a), toldIn(t, oracle.Config{}, test.b)
			before := [2]oracle.Result{a.Result(), b.Result()}
			for _, err := range []error{a.Merge(b), b.Merge(a)} {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, expected %q", err, test.want)
				}
			}
			if after := [2]oracle.Result{a.Result(), b.Result()}; !reflect.DeepEqual(before, after) {
				t.Errorf("%+v became %+v", before, after)
			}
		})
	}
	j := oracle.New(oracle.Config{})
	for _, o := range []*oracle.Judge{nil, j} {
		if err := j.Merge(o); err == nil {
			t.Error("a judge is merged with nothing, or itself")
		}
	}
}

// A judge who has seen nothing makes no difference.
func TestMergeNothing(t *testing.T) {
	const told = "life g p1 0..3\n drain g\n end"
	want := toldIn(t, oracle.Config{}, told).Result()
	a, b := toldIn(t, oracle.Config{}, told), oracle.New(oracle.Config{})
	for _, pair := range [][2]*oracle.Judge{{a, oracle.New(oracle.Config{})}, {b, toldIn(t, oracle.Config{}, told)}} {
		if err := pair[0].Merge(pair[1]); err != nil {
			t.Fatal(err)
		}
		if got := pair[0].Result(); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, alone %+v", got, want)
		}
	}
}

// Of witnesses that are too many, the same ones are kept in any order of merges; those of what was taken back go.
func TestMergedWitnesses(t *testing.T) {
	part := func(p int) *oracle.Judge {
		return toldIn(t, oracle.Config{Witnesses: 3}, fmt.Sprintf("contract at-least-once\n life g p%d 0..5\n deliver g p%d 5,4,3,2,1,0\n end", p, p))
	}
	var lists []string
	for _, order := range [][]int{{1, 2, 3}, {3, 1, 2}, {2, 3, 1}} {
		j := part(order[0])
		for _, p := range order[1:] {
			if err := j.Merge(part(p)); err != nil {
				t.Fatal(err)
			}
		}
		var list []string
		for _, w := range j.Result().Witnesses {
			list = append(list, fmt.Sprintf("%s of %d: %d", w.Anomaly, w.Message.Producer, w.Message.Seq))
		}
		lists = append(lists, strings.Join(list, ", "))
	}
	if lists[0] != "duplicated of 1: 3, duplicated of 1: 4, duplicated of 1: 5" || lists[1] != lists[0] || lists[2] != lists[0] {
		t.Errorf("%q", lists)
	}
	a := toldIn(t, oracle.Config{}, "contract at-least-once max-delay=1ms\n send p1 0\n @1s deliver g p1 0\n end")
	if n := len(a.Result().Witnesses); n != 1 {
		t.Fatalf("%d witnesses", n)
	}
	if err := a.Merge(toldIn(t, oracle.Config{}, "contract at-least-once max-delay=1ms\n deliver g p1 0\n end")); err != nil {
		t.Fatal(err)
	}
	for _, w := range a.Result().Witnesses {
		if w.Anomaly == oracle.Late {
			t.Errorf("%+v is a witness of what was taken back", w)
		}
	}
}

// Outages and positions are those of the parts.
func TestMergedOutagesAndPositions(t *testing.T) {
	a := toldIn(t, oracle.Config{}, "contract at-least-once\n life g p1 0..3\n invoke p1 4\n @3s ok p1 4\n @9s end")
	b := toldIn(t, oracle.Config{}, "contract at-least-once\n life h p2 0..3\n invoke p2 4\n @5s ok p2 4\n @9s end")
	for i, j := range []*oracle.Judge{a, b} {
		for _, o := range []int64{5, 9} {
			e := history.Event{Kind: history.Deliver, At: 8e9 + o, Group: "g", Client: "c", Partition: 2, Offset: o + int64(i), Identity: queueID(i+1, 4+uint64(o)/9)}
			e.Identity.Run = 7
			j.Observe(&e)
		}
	}
	if err := a.Merge(b); err != nil {
		t.Fatal(err)
	}
	r := a.Result()
	if p := r.Positions; len(p) != 1 || p[0] != (oracle.Position{Group: "g", Partition: 2, First: 5, Last: 10, Skipped: 2}) {
		t.Errorf("positions %+v", p)
	}
	var produce []oracle.Window
	for _, o := range r.Outages {
		if o.Side == "produce" {
			produce = append(produce, o.Window)
		}
	}
	if len(produce) != 1 || produce[0].To != 5e9 || produce[0].From > 30e6 {
		t.Errorf("outages %+v", r.Outages)
	}
}

func queueID(producer int, seq uint64) queue.Identity {
	return queue.Identity{Producer: uint32(producer), Seq: seq}
}

// What one of them could not tell, both together cannot.
func TestMergedUntold(t *testing.T) {
	c := oracle.Config{Contract: oracle.Contract{Delivery: oracle.AtLeastOnce, MaxDelay: 100e6}}
	for _, first := range []bool{true, false} {
		a := toldIn(t, c, "life g p1 0\n @80ms life g p1 1")
		oracle.Squeeze(a)
		parseTale(t, "rest", "@150ms done h p1 0,1\n drain g\n drain h\n end").judge(a)
		if v := lateVerdict(a.Result()); v != oracle.Unknown {
			t.Fatalf("alone, late is %s", v)
		}
		b := toldIn(t, c, "@100ms life g p2 0,1\n done h p2 0,1\n drain g\n drain h\n @160ms end")
		if !first {
			a, b = b, a
		}
		if err := a.Merge(b); err != nil {
			t.Fatal(err)
		}
		if v := lateVerdict(a.Result()); v != oracle.Unknown {
			t.Errorf("late is %s", v)
		}
	}
}

func lateVerdict(r oracle.Result) oracle.Verdict {
	for _, c := range r.Checks {
		if c.Expr == "late == 0" {
			return c.Verdict
		}
	}
	return ""
}

// Whoever saw something after the drain, and whomever it was merged with before: the drain is no proof.
func TestMergedThree(t *testing.T) {
	tests := []struct{ name, after, reason string }{
		{"acked", "@2s send p1 4", "messages were acked after its drain"},
		{"delivered", "send p1 4\n @2s done g p1 4", "it got messages after its drain"},
		{"delivered, damaged", "@2s deliver g p1 0 damage=envelope", "it got messages after its drain"},
	}
	for _, test := range tests {
		parts := []string{"life g p1 0..3\n " + test.after + "\n end", "life g p2 0..3\n end", "life g p3 0..3\n @1s drain g\n end"}
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			j := toldIn(t, oracle.Config{}, parts[order[0]])
			for _, n := range order[1:] {
				if err := j.Merge(toldIn(t, oracle.Config{}, parts[n])); err != nil {
					t.Fatal(err)
				}
			}
			if r := j.Result(); r.Drained || !strings.Contains(strings.Join(r.Reasons, "\n"), test.reason) {
				t.Errorf("%s %v: %s %q", test.name, order, r.Verdict, r.Reasons)
			}
		}
	}
}
