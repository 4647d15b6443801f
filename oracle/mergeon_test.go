package oracle_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/oracle"
)

// A merged judge who is told more judges that as one would who was told everything.
func TestMergedJudgeGoesOn(t *testing.T) {
	const forgiving = "contract exactly-once forgive=caused\n"
	tests := []struct{ name, all, a, b, rest string }{
		{
			"order", "", "send p1 0..5 back=1", "@100ms send p2 0..5 back=1\n done h p2 0",
			"@200ms send p1 6 back=1\n deliver g p1 6\n deliver g p1 0..5\n done h p2 2\n done h p2 1\n send p2 6..7 back=1\n done h p2 6,7\n end",
		}, {
			"what one of them waits for", "", "send p1 0", "@10ms life h p2 0", "@50ms life h p2 1..20\n @4s life h p2 21\n end",
		}, {
			"what one of them knows to be sent never", "", "life g p1 0", "@100ms deliver g p9 100000\n life g p2 0",
			"@200ms process g p9 100000\n drain g\n end",
		}, {
			"a source that tells of no deliveries", "", "send p1 0..3\n life g p3 0", "@100ms source g table\n send p2 0\n process g p2 0", "@200ms process g p1 0..3\n drain g\n end",
		}, {
			"messages that are nobody's", "", "life g p1 0\n deliver g p9 0 damage=foreign\n deliver g p9 0 damage=envelope", "@100ms life g p2 0",
			"@200ms process g p9 0 damage=foreign\n process g p9 0 damage=envelope\n drain g\n end",
		}, {
			"what is reserved and what is sent", "", "reserve p1 0 10\n reserve p1 10 10", "@100ms life g p1 0..3",
			"@200ms life g p1 4\n deliver g p1 19\n drain g",
		}, {
			"what is reserved, of one track", "", "reserve p1 0 100000\n send p1 0..3", "@100ms deliver g p1 0", "@200ms deliver g p1 90000",
		}, {
			"how far one track got", "", "send p1 0..3", "@100ms deliver g p1 0", "@200ms send p1 65538",
		}, {
			"what one of them waits for, of one track", "", "send p1 0..3", "@20ms deliver g p1 0", "@50ms life g p2 0..20\n @4s life g p2 21",
		}, {
			"what came early, of one track", "", "reserve p1 0 4000\n send p1 0", "@10ms deliver g p1 3000", "@200ms send p1 1..3000\n drain g\n end",
		}, {
			"what is under way, of one track", "", "invoke p1 0", "@10ms deliver g p1 0", "@150ms send p1 1\n @1s ok p1 0",
		}, {
			"what groups waited for", "fault kill\n send p1 0\n done h p1 0\n done g p1 0\n @50ms life a p2 0\n done h p2 0",
			"fault kill\n send p1 0\n done h p1 0\n done g p1 0", "fault kill\n @50ms life a p2 0\n done h p2 0", "@90ms drain g\n end",
		}, {
			"lag as in the baseline",
			"phase baseline\n send p1 0..149\n @500ms send p2 0..149\n @1s phase chaos\n fault kill",
			"phase baseline\n send p1 0..149\n @1s phase chaos\n fault kill",
			"phase baseline\n @500ms send p2 0..149\n @1s phase chaos\n fault kill", "@2s lag g 60\n lag g 10\n healed kill\n end",
		}, {
			"an ack after the drain", "", "life g p1 0", "@100ms life g p2 0\n drain g", "@200ms send p1 1\n end",
		}, {
			"a drain, and what waited for nothing", "", "life g p1 0\n send p1 1", "@100ms life g p2 0\n drain g", "@9s end",
		}, {
			"what was hit, and by what",
			forgiving + "@1ms begin duplicate\n send p1 0\n hit duplicate p1 0 group=h\n done h p1 0,0\n @50ms life g p1 1\n @60ms life a p2 0\n done h p2 0",
			forgiving + "@1ms begin duplicate\n send p1 0\n hit duplicate p1 0 group=h\n done h p1 0,0\n @50ms life g p1 1",
			forgiving + "@1ms begin duplicate\n @60ms life a p2 0\n done h p2 0",
			"@90ms done h p1 0,0,0\n done g p1 0,0\n hit duplicate p1 1 group=a\n done a p1 1,1\n drain g\n drain h\n end",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.all == "" {
				test.all = test.a + "\n" + test.b
			}
			c := oracle.Config{}
			if !strings.HasPrefix(test.a, "contract") {
				c.Contract = oracle.Contract{Delivery: oracle.ExactlyOnce, Order: oracle.OrderKey}
			}
			whole := parseTale(t, "rest", test.rest).judge(toldIn(t, c, test.all))
			for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
				j := toldIn(t, c, pair[0])
				if err := j.Merge(toldIn(t, c, pair[1])); err != nil {
					t.Fatal(err)
				}
				merged := parseTale(t, "rest", test.rest).judge(j)
				if d := mergedDiffers(whole, merged); len(d) > 0 {
					t.Errorf("%s\n%q\n%q", strings.Join(d, "\n"), whole.Reasons, merged.Reasons)
				}
				if !reflect.DeepEqual(whole.Clients, merged.Clients) {
					t.Errorf("%+v, of one judge %+v", merged.Clients, whole.Clients)
				}
				if !reflect.DeepEqual(whole.Outages, merged.Outages) || !reflect.DeepEqual(whole.Recovery, merged.Recovery) {
					t.Errorf("outages %+v %+v, of one judge %+v %+v", merged.Outages, merged.Recovery, whole.Outages, whole.Recovery)
				}
			}
		})
	}
}

// A loss keeps the fault that explains it, whichever number that has, when its page was given up or came back.
func TestMergedBlame(t *testing.T) {
	for _, rest := range []string{"", "@50ms process g p1 0\n", "@50ms process g p1 0\n squeeze"} {
		for _, first := range []bool{true, false} {
			a := toldIn(t, oracle.Config{}, "@10ms fault stop\n send p1 0..2\n done g p1 0,2\n @20ms healed stop")
			oracle.Squeeze(a)
			parseTale(t, "rest", strings.TrimSuffix(rest, " squeeze")).judge(a)
			if strings.HasSuffix(rest, "squeeze") {
				oracle.Squeeze(a)
			}
			b := toldIn(t, oracle.Config{}, "fault pause\n life g p2 0\n healed pause\n @30s fault kill\n healed kill\n @40s drain g\n end")
			if !first {
				a, b = b, a
			}
			if err := a.Merge(b); err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, f := range a.Result().Faults {
				found = append(found, fmt.Sprintf("%s %d", f.Name, f.Anomalies[oracle.Lost]))
			}
			if got := strings.Join(found, ", "); got != "pause 0, stop 1, kill 0" {
				t.Errorf("after %q: %s", rest, got)
			}
		}
	}
}

// What both were told of is one, and what one of them was told of twice is two.
func TestMergedSources(t *testing.T) {
	a := toldIn(t, oracle.Config{}, "source g table blind=late\n source - topic\n life g p1 0\n end")
	b := toldIn(t, oracle.Config{}, "source - log\n source - topic\n source - topic\n source g table blind=late\n end")
	if err := a.Merge(b); err != nil {
		t.Fatal(err)
	}
	want := []oracle.Source{{Name: "log", Blind: []string{}}, {Name: "table", Group: "g", Blind: []string{"late"}},
		{Name: "topic", Blind: []string{}}, {Name: "topic", Blind: []string{}}}
	if got := a.Result().Sources; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, expected %+v", got, want)
	}
}

// Merged, they keep no more than one may.
func TestMergedMemory(t *testing.T) {
	j := ofMany(1, 300_000, true, true)
	for p := range uint32(3) {
		if err := j.Merge(ofMany(2+p, 300_000, true, true)); err != nil {
			t.Fatal(err)
		}
	}
	if over := oracle.OverMemory(j); over > 0 {
		t.Errorf("%d bytes too much", over)
	}
	if c := j.Result().Counts; c.Processed != 1_200_000 {
		t.Errorf("%+v", c)
	}
}

// Of a track that both saw, order is not judged any more, neither what came before nor what comes.
func TestMergedOrderIsLeft(t *testing.T) {
	const contract = "contract at-least-once order=key\n"
	for _, first := range []bool{true, false} {
		a := toldIn(t, oracle.Config{}, contract+"send p1 0..5 back=1\n deliver g p1 5\n deliver g p1 3")
		b := toldIn(t, oracle.Config{}, contract+"@1s deliver h p1 0")
		if n := a.Result().Anomalies[oracle.Reordered].Total; n != 1 {
			t.Fatalf("%d reordered", n)
		}
		if !first {
			a, b = b, a
		}
		if err := a.Merge(b); err != nil {
			t.Fatal(err)
		}
		r := parseTale(t, "rest", "@2s deliver g p1 2\n send p1 6 back=1\n deliver g p1 6").judge(a)
		if r.Anomalies[oracle.Reordered].Total != 0 || !strings.Contains(strings.Join(r.Reasons, "\n"), "the order of 6 messages is not known") {
			t.Errorf("%+v %q", r.Anomalies, r.Reasons)
		}
	}
}

// What comes to a track that both saw is late if it was meant to be sent too long ago, whichever of them still knew when.
func TestMergedDelayGoesOn(t *testing.T) {
	const contract = "contract at-least-once max-delay=1s\n"
	for forgot := range 4 { // none, the first, the second, both
		for _, first := range []bool{true, false} {
			a := toldIn(t, oracle.Config{}, contract+"@1.5s life g p1 0..3")
			b := toldIn(t, oracle.Config{}, contract+"@1.6s deliver h p1 0")
			if forgot&1 != 0 {
				oracle.Squeeze(a)
			}
			if forgot&2 != 0 {
				oracle.Squeeze(b)
			}
			if !first {
				a, b = b, a
			}
			if err := a.Merge(b); err != nil {
				t.Fatal(err)
			}
			if n := parseTale(t, "rest", "@2s deliver h p1 1").judge(a).Anomalies[oracle.Late].Total; n != 0 {
				t.Errorf("%d late (%d, %v)", n, forgot, first)
			}
			if n := parseTale(t, "rest", "@9s deliver h p1 2").judge(a).Anomalies[oracle.Late].Total; n != 1 {
				t.Errorf("%d late of 1 (%d, %v)", n, forgot, first)
			}
		}
	}
}
