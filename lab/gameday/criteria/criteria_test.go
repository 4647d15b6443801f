package criteria_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/oracle"
)

func Example() {
	c, err := criteria.Parse("failover < 12s")
	if err != nil {
		panic(err)
	}
	for _, facts := range []criteria.Facts{{"failover": 4.213}, {"failover": 13.9}, {}} {
		verdict, value, _ := c.Eval(facts)
		fmt.Printf("%s: %s\n", verdict, value)
	}
	// Output:
	// pass: 4.21s
	// fail: 13.9s
	// unknown: not known
}

func TestParse(t *testing.T) {
	for text, want := range map[string]criteria.Criterion{
		"lost == 0":                            {Query: criteria.Query{Metric: "lost"}, Op: "=="},
		"  lost==0  ":                          {Query: criteria.Query{Metric: "lost"}, Op: "=="},
		"duplicated <= 10":                     {Query: criteria.Query{Metric: "duplicated"}, Op: "<=", Bound: 10},
		"failover < 12s":                       {Query: criteria.Query{Metric: "failover"}, Op: "<", Bound: 12},
		"drain >= 1m30s":                       {Query: criteria.Query{Metric: "drain"}, Op: ">=", Bound: 90},
		"lag.recovered < 500us":                {Query: criteria.Query{Metric: "lag.recovered"}, Op: "<", Bound: 5e-4},
		"p99(latency.e2e, baseline) < 200ms":   {Query: criteria.Query{Metric: "latency.e2e", Agg: "p99", Phase: "baseline"}, Op: "<", Bound: 0.2},
		"p999( latency.ack )<1s":               {Query: criteria.Query{Metric: "latency.ack", Agg: "p999"}, Op: "<", Bound: 1},
		"error_rate != 5%":                     {Query: criteria.Query{Metric: "error_rate"}, Op: "!=", Bound: 0.05},
		"error_rate > 0.25":                    {Query: criteria.Query{Metric: "error_rate"}, Op: ">", Bound: 0.25},
		"max(memory) < 600MB":                  {Query: criteria.Query{Metric: "memory", Agg: "max"}, Op: "<", Bound: 6e8},
		"max(memory) < 1.5GiB":                 {Query: criteria.Query{Metric: "memory", Agg: "max"}, Op: "<", Bound: 1.5 * (1 << 30)},
		"min(rate.acked, observe) > 90/m":      {Query: criteria.Query{Metric: "rate.acked", Agg: "min", Phase: "observe"}, Op: ">", Bound: 1.5},
		"mean(rate.processed, recover) > 0.9x": {Query: criteria.Query{Metric: "rate.processed", Agg: "mean", Phase: "recover"}, Op: ">", Bound: 0.9, Relative: true},
		"last(lag) < 100":                      {Query: criteria.Query{Metric: "lag", Agg: "last"}, Op: "<", Bound: 100},
		"probe.check-out.ok > 99%":             {Query: criteria.Query{Metric: "probe.check-out.ok"}, Op: ">", Bound: 0.99},
		"p95(probe.checkout.latency) < 2s":     {Query: criteria.Query{Metric: "probe.checkout.latency", Agg: "p95"}, Op: "<", Bound: 2},
		"failed_but_delivered == 0":            {Query: criteria.Query{Metric: "failed_but_delivered"}, Op: "=="},
	} {
		want.Text = text
		got, err := criteria.Parse(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestParseSaysWhereAndWhat(t *testing.T) {
	criterion := func(text string) error { _, err := criteria.Parse(text); return err }
	guard := func(text string) error { _, err := criteria.ParseGuard(text); return err }
	fact := func(text string) error { _, err := criteria.ParseFact(text); return err }
	bound := func(text string) error { _, err := criteria.ParseBound("lost", text); return err }
	for _, c := range []struct {
		parse  func(string) error
		text   string
		column int
		part   string
	}{
		{criterion, "", 1, "expected a metric"},
		{criterion, "lsot == 0", 1, `did you mean "lost"?`},
		{criterion, "nonsense == 0", 1, "; there are offered, acked"},
		{criterion, "lost", 5, "expected a comparison after lost"},
		{criterion, "lost = 0", 6, `did you mean "=="?`},
		{criterion, "lost => 0", 6, "expected a comparison after lost: one of"},
		{criterion, "lost ==", 8, "expected a number"},
		{criterion, "lost == 0s", 9, "without a unit"},
		{criterion, "lost == -1", 9, "without a unit"},
		{criterion, "lost == 1e3", 9, "without a unit"},
		{criterion, "lost == 0 and more", 11, "one comparison each"},
		{criterion, "lost == 0 for 5s", 11, `"for" belongs to guards`},
		{criterion, "lost < 2x", 8, "no value of its own in the baseline"},
		{criterion, "failover < 12", 12, "a duration is a number with"},
		{criterion, "failover < 5%", 12, "a duration is a number with"},
		{criterion, "error_rate < 5", 14, "write 5% for percent"},
		{criterion, "error_rate < 500%", 14, "cannot be more than 100%"},
		{criterion, "max(memory) < 600", 15, "a size needs a unit"},
		{criterion, "mean(rate.acked) > 100", 20, "messages per time"},
		{criterion, "latency.e2e < 1s", 1, "is a series: say which number of it, as in p50(latency.e2e)"},
		{criterion, "p98(latency.e2e) < 1s", 1, "there are p50, p90"},
		{criterion, "max(lost) < 1", 1, "is one number: write it without max( )"},
		{criterion, "p99(latency.e2e < 1s", 17, `expected ")"`},
		{criterion, "p99(latency.e2e, sleep) < 1s", 18, "unknown phase"},
		{criterion, "max(memory, baseline) < 1GB", 13, "of the whole run"},
		{criterion, "probe.x.y > 1", 1, "a probe has ok, failed and latency"},
		{criterion, strings.Repeat("x", 300), 1, "longer than 256 bytes"},
		{criterion, "lösung == 0", 1, `unknown metric "lösung"`},
		{criterion, "probe.prüfung.ok ?", 18, "expected a comparison"},
		{guard, "error_rate < 90%", 17, `add "for 20s"`},
		{guard, "error_rate < 90% for", 21, "a duration is a number with"},
		{guard, "error_rate < 90% for 0s", 22, "more than 0s"},
		{guard, "error_rate < 90% for 20", 22, "a duration is a number with"},
		{guard, "lost == 0 for 5s", 1, "not watched during the run"},
		{guard, "p99(latency.e2e, load) < 1s for 5s", 18, "cannot be limited to a phase"},
		{guard, "mean(rate.acked) > 0.5x for 5s", 20, "messages per time"},
		{fact, "cluster.node >= 3", 1, `did you mean "cluster.nodes"?`},
		{fact, "lost == 0", 1, "there are cluster.nodes, cluster.replicas"},
		{bound, "0", 1, "expected a comparison"},
		{bound, "> x", 3, "without a unit"},
	} {
		err := c.parse(c.text)
		var syntax *criteria.SyntaxError
		if !errors.As(err, &syntax) || syntax.Column != c.column || !strings.Contains(syntax.Msg, c.part) {
			t.Errorf("%q: %v, want column %d, %q", c.text, err, c.column, c.part)
		}
	}
	if _, err := criteria.ParseBound("lots", "> 0"); err == nil || !strings.Contains(err.Error(), `did you mean "lost"?`) {
		t.Error(err)
	}
}

// phased answers by phase.
type phased map[criteria.Query]float64

func (p phased) Value(q criteria.Query) (float64, bool) { v, ok := p[q]; return v, ok }

func TestEval(t *testing.T) {
	for _, c := range []struct {
		text    string
		value   float64
		verdict oracle.Verdict
		shown   string
		reason  string
	}{
		{"lost == 0", 0, oracle.Pass, "0", ""},
		{"lost == 0", 12345, oracle.Fail, "12,345", "lost is 12,345, not == 0"},
		{"lost != 0", 1, oracle.Pass, "1", ""},
		{"lost <= 1", 1, oracle.Pass, "1", ""},
		{"lost >= 1", 1, oracle.Pass, "1", ""},
		{"lost < 1", 1, oracle.Fail, "1", "lost is 1, not < 1"},
		{"failover < 12s", 11.249, oracle.Pass, "11.2s", ""},
		{"failover < 12s", math.Inf(1), oracle.Fail, "never", "failover is never, not < 12s"},
		{"failover < 12s", math.NaN(), oracle.Unknown, "not known", "no data for failover"},
		{"error_rate < 5%", 0.992, oracle.Fail, "99.2%", "error_rate is 99.2%, not < 5%"},
	} {
		parsed, err := criteria.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		verdict, shown, reason := parsed.Eval(criteria.Facts{parsed.Query.Metric: c.value})
		if verdict != c.verdict || shown != c.shown || reason != c.reason {
			t.Errorf("%s with %g: %s, %q, %q", c.text, c.value, verdict, shown, reason)
		}
	}
	if verdict, _, _ := (criteria.Criterion{}).Eval(nil); verdict != oracle.Unknown {
		t.Errorf("without a source: %s", verdict)
	}
}

func TestEvalRelativeToBaseline(t *testing.T) {
	c, err := criteria.Parse("mean(rate.acked, recover) >= 0.9x")
	if err != nil {
		t.Fatal(err)
	}
	at := func(phase string) criteria.Query {
		return criteria.Query{Metric: "rate.acked", Agg: "mean", Phase: phase}
	}
	for _, f := range []struct {
		from phased
		want string
	}{
		{phased{at("baseline"): 2000, at("recover"): 1900}, "pass 1,900/s "},
		{phased{at("baseline"): 2000, at("recover"): 1700}, "fail 1,700/s mean(rate.acked, recover) is 1,700/s, not >= 1,800/s"},
		{phased{at("recover"): 1700}, "unknown 1,700/s no data for mean(rate.acked, recover) in the baseline to compare with"},
		{phased{at("baseline"): 2000}, "unknown not known no data for mean(rate.acked, recover)"},
	} {
		verdict, value, reason := c.Eval(f.from)
		if got := fmt.Sprintf("%s %s %s", verdict, value, reason); got != f.want {
			t.Errorf("got  %s\nwant %s", got, f.want)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		unit  criteria.Unit
		value float64
		want  string
	}{
		{criteria.Seconds, 0, "0s"}, {criteria.Seconds, 85e-9, "85ns"}, {criteria.Seconds, 850e-6, "850us"},
		{criteria.Seconds, 0.0123, "12.3ms"}, {criteria.Seconds, 0.9999, "1000ms"}, {criteria.Seconds, 4.2149, "4.21s"},
		{criteria.Seconds, 72.4, "1m12s"}, {criteria.Seconds, -2, "-2s"},
		{criteria.Ratio, 0.99215, "99.22%"}, {criteria.Ratio, 0, "0%"}, {criteria.Ratio, 1, "100%"},
		{criteria.Bytes, 512, "512B"}, {criteria.Bytes, 4096, "4KiB"}, {criteria.Bytes, 612 << 20, "612MiB"}, {criteria.Bytes, 1.5 * (1 << 30), "1.5GiB"},
		{criteria.PerSecond, 1980.4, "1,980/s"}, {criteria.PerSecond, 1.5, "1.5/s"},
		{criteria.Count, 0, "0"}, {criteria.Count, 999, "999"}, {criteria.Count, 1e6, "1,000,000"}, {criteria.Count, 12.25, "12.2"}, {criteria.Count, -1234, "-1,234"},
	} {
		if got := c.unit.Format(c.value); got != c.want {
			t.Errorf("%s %g: %s, want %s", c.unit, c.value, got, c.want)
		}
	}
}

// Every metric of the catalog can be asked for in the way that the catalog says, and its help is there.
func TestCatalog(t *testing.T) {
	bound := map[criteria.Unit]string{criteria.Count: "1", criteria.Seconds: "1s", criteria.Ratio: "1%", criteria.Bytes: "1MB", criteria.PerSecond: "1/s"}
	seen := map[string]bool{}
	for _, m := range criteria.Metrics() {
		if m.Help == "" || seen[m.Name] {
			t.Errorf("%s: without help, or twice", m.Name)
		}
		seen[m.Name] = true
		query := m.Name
		if len(m.Aggs) > 0 {
			query = m.Aggs[len(m.Aggs)-1] + "(" + m.Name + ")"
		}
		if c, err := criteria.Parse(query + " < " + bound[m.Unit]); err != nil || c.Query.String() != query {
			t.Errorf("%s: %v", query, err)
		}
		_, err := criteria.ParseGuard(query + " < " + bound[m.Unit] + " for 5s")
		if (err == nil) != m.Live {
			t.Errorf("%s: live %v, as a guard: %v", query, m.Live, err)
		}
		if found, ok := criteria.Find(m.Name); !ok || found.Help != m.Help {
			t.Errorf("%s: not found", m.Name)
		}
	}
	for _, m := range criteria.FactMetrics() {
		if _, err := criteria.ParseFact(m.Name + " > " + bound[m.Unit]); err != nil {
			t.Error(err)
		}
	}
	for _, name := range oracle.Names() {
		if !seen[name] {
			t.Errorf("anomaly %s is not in the catalog", name)
		}
	}
	if _, ok := criteria.Find("nothing"); ok {
		t.Error("found nothing")
	}
}

func guard(t *testing.T, text string) *criteria.Guard {
	t.Helper()
	c, err := criteria.ParseGuard(text)
	if err != nil {
		t.Fatal(err)
	}
	return criteria.NewGuard(c)
}

func TestGuardBreaksOnlyAfterItsTime(t *testing.T) {
	g := guard(t, "error_rate < 90% for 20s")
	start := time.Unix(1000, 0)
	look := func(second int, rate float64) bool {
		broken, _ := g.Observe(start.Add(time.Duration(second)*time.Second), criteria.Facts{"error_rate": rate})
		return broken
	}
	for second, rate := range []float64{0, 1, 1, 1, 0.5} { // broken for 3 s, then well again
		if look(second, rate) {
			t.Fatalf("broken after %d s", second)
		}
	}
	for second := 5; second < 25; second++ {
		if look(second, 0.95) {
			t.Fatalf("broken after %d s, since second 5", second)
		}
	}
	if !look(25, 0.95) {
		t.Fatal("not broken after 20 s")
	}
	broken, why := g.Observe(start.Add(26*time.Second), criteria.Facts{"error_rate": 0})
	if !broken || why != "error_rate is 95%, not < 90%, for 20s" {
		t.Errorf("broken %v afterwards: %q", broken, why)
	}
}

func TestGuardFailsSafe(t *testing.T) {
	start := time.Unix(1000, 0)
	observe := func(g *criteria.Guard, from, to int, source criteria.Source) (brokenAt int) {
		for s := from; s <= to; s++ {
			if broken, _ := g.Observe(start.Add(time.Duration(s)*time.Second), source); broken {
				return s
			}
		}
		return -1
	}
	never := guard(t, "error_rate < 90% for 5s")
	if at := observe(never, 0, 60, criteria.Facts{}); at != 15 {
		t.Errorf("without any data: broken at %d s, want after warm-up and its time, 15 s", at)
	}
	if _, why := never.Observe(start, nil); why != "no data for error_rate, for 5s: what cannot be watched is stopped" {
		t.Error(why)
	}
	lost := guard(t, "error_rate < 90% for 5s")
	observe(lost, 0, 2, criteria.Facts{"error_rate": 0})
	if at := observe(lost, 3, 60, criteria.Facts{}); at != 8 {
		t.Errorf("data that ends: broken at %d s, want 8 s", at)
	}
	late := guard(t, "error_rate < 90% for 5s")
	late.WarmUp = time.Minute
	if at := observe(late, 0, 30, nil); at != -1 {
		t.Errorf("within its warm-up: broken at %d s", at)
	}
}

// A guard breaks exactly when it was broken at every look for its time.
func TestGuardAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := guard(t, "error_rate < 50% for 3s")
		run := 0 // looks in a row that were broken
		over := false
		for second := range rapid.IntRange(1, 40).Draw(rt, "seconds") {
			bad := rapid.Bool().Draw(rt, "bad")
			rate := 0.1
			if bad {
				rate, run = 0.9, run+1
			} else {
				run = 0
			}
			over = over || run > 3
			if broken, _ := g.Observe(time.Unix(int64(second), 0), criteria.Facts{"error_rate": rate}); broken != over {
				rt.Fatalf("second %d: broken %v, want %v", second, broken, over)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"lost == 0", "p99(latency.e2e, baseline) < 200ms", "error_rate < 90% for 20s", "mean(rate.acked, load) > 0.9x",
		"probe.a.ok > 99%", "cluster.nodes >= 3", "> 0", "max(memory) < 600MiB", "((((", "a(b,c) <= ",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (criteria.Criterion, error){
			criteria.Parse, criteria.ParseGuard, criteria.ParseFact,
			func(text string) (criteria.Criterion, error) { return criteria.ParseBound("lost", text) },
		} {
			c, err := parse(text)
			var syntax *criteria.SyntaxError
			switch {
			case err == nil && (c.Op == "" || math.IsNaN(c.Bound) || math.IsInf(c.Bound, 0) || c.Bound < 0 || c.Query.Metric == ""):
				t.Fatalf("%q gave %+v", text, c)
			case err == nil:
				c.Eval(criteria.Facts{c.Query.Metric: 1})
			case !errors.As(err, &syntax) || syntax.Msg == "" || syntax.Column < 1 || syntax.Column > len(text)+1:
				t.Fatalf("%q: %v", text, err)
			}
		}
		_, _ = criteria.ParseDuration(text)
		_, _ = criteria.ParseSize(text)
		_, _ = criteria.ParseRate(text)
	})
}
