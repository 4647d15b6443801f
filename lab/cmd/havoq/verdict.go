package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/report"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/scenarios"
	"github.com/havoqlab/havoq/oracle"
)

// printVerdict says what came out and why to believe it.
func printVerdict(w io.Writer, res *result.Result, dir string) {
	printJudgement(w, res)
	printReport(w, dir)
	fmt.Fprintf(w, "  again   %s\n", res.Again)
	fmt.Fprintf(w, "  next    %s\n", next(res))
}

// printJudgement is the part that needs no run folder.
func printJudgement(w io.Writer, res *result.Result) {
	fmt.Fprintf(w, "VERDICT  %s%s\n", strings.ToUpper(string(res.Verdict)), expectation(res))
	fmt.Fprintf(w, "  safety %s, liveness %s\n", known(res.Safety.Verdict), known(res.Liveness.Verdict))
	for _, reason := range res.Reasons {
		fmt.Fprintf(w, "  because %s\n", fold(w, reason, 10))
	}
	for _, c := range append(append([]oracle.Check{}, res.Criteria...), res.Guards...) {
		fmt.Fprintf(w, "  %-4s  %-42s  %s\n", mark(c.Verdict), c.Expr, value(c))
	}
	printCounts(w, res)
	printTrust(w, res)
}

func expectation(res *result.Result) string {
	switch {
	case res.Expected == nil:
		return ""
	case *res.Expected:
		return " (exactly what this scenario expects: " + res.Expect + ")"
	default:
		return " (this scenario expects: " + res.Expect + ")"
	}
}

// known is the word of a verdict, which is unknown where there is none.
func known(v oracle.Verdict) oracle.Verdict { return cmp.Or(v, oracle.Unknown) }

func mark(v oracle.Verdict) string {
	switch v {
	case oracle.Pass:
		return "ok"
	case oracle.Fail:
		return "FAIL"
	default:
		return "?"
	}
}

func value(c oracle.Check) string {
	if c.Reason == "" || c.Verdict == oracle.Fail && c.Value != "" { // a failure's reason stands above
		return c.Value
	}
	if c.Value == "" {
		return c.Reason
	}
	return c.Value + " (" + c.Reason + ")"
}

func printCounts(w io.Writer, res *result.Result) {
	c := res.Counts
	fmt.Fprintf(w, "\n  offered %s = acked %s + failed %s + in doubt %s", number(c.Offered), number(c.Acked), number(c.Failed), number(c.InDoubt))
	if c.NotSent > 0 {
		fmt.Fprintf(w, " (not sent: %s)", number(c.NotSent))
	}
	fmt.Fprintf(w, "\n  acked %s", number(c.Acked))
	if expected := c.Processed + c.DeadLettered + c.Queued + c.Lost + c.Unaccounted; expected != c.Acked { // there are several groups
		fmt.Fprintf(w, ", by all groups together %s", number(expected))
	}
	fmt.Fprintf(w, " = processed %s + dead-lettered %s + queued %s + lost %s",
		number(c.Processed), number(c.DeadLettered), number(c.Queued), number(c.Lost))
	if c.Unaccounted > 0 {
		fmt.Fprintf(w, " + not known %s", number(c.Unaccounted))
	}
	fmt.Fprintln(w)
	printSources(w, res)
	printAnomalies(w, res)
}

// printSources tells what each source of a user's own application told of.
func printSources(w io.Writer, res *result.Result) {
	for _, s := range res.Sources {
		if s.Group == "" {
			fmt.Fprintf(w, "  %-20s %s sent\n", s.Name, number(s.Messages))
			continue
		}
		fmt.Fprintf(w, "  %-20s %s processed, %s missing\n", s.Name, number(s.Messages), number(s.Missing))
	}
}

// printAnomalies tells what breaks the contract apart from what it does not promise: that is counted, and fails nothing.
func printAnomalies(w io.Writer, res *result.Result) {
	promised := map[string]bool{}
	for _, c := range res.Criteria {
		promised[strings.TrimSuffix(c.Expr, " == 0")] = true
	}
	var against, besides []string
	for _, name := range oracle.Names() {
		a := res.Anomalies[name]
		if a.Total == 0 {
			continue
		}
		text := fmt.Sprintf("%s %s (%s caused by a hit, %s during a fault, %s unexplained)", number(a.Total),
			strings.ReplaceAll(name, "_", " "), number(a.Caused), number(a.During), number(a.Unexplained))
		if promised[name] {
			against = append(against, text)
		} else {
			besides = append(besides, text)
		}
	}
	if len(against) == 0 {
		against = []string{"none"}
	}
	fmt.Fprintf(w, "  %s\n", fold(w, "anomalies against the contract: "+strings.Join(against, "; "), 4))
	if len(besides) > 0 {
		fmt.Fprintf(w, "  %s\n", fold(w, "counted, but not promised otherwise: "+strings.Join(besides, "; "), 4))
	}
	fmt.Fprintln(w)
}

func printTrust(w io.Writer, res *result.Result) {
	struck := 0
	for _, f := range res.Faults {
		if f.Seen > 0 {
			struck++
		}
	}
	fmt.Fprintf(w, "  trust   self-test %d/%d; faults seen in force %d/%d; %s\n",
		res.SelfTest.Found, res.SelfTest.Planted, struck, len(res.Faults), account(res))
	printChances(w, res.Claims)
}

// account says whether the two sums above hold. With several groups the second one is of all of them together, and does not.
func account(res *result.Result) string {
	c := res.Counts
	switch {
	case c.Offered != c.Acked+c.Failed+c.InDoubt,
		res.Groups == 1 && c.Acked != c.Processed+c.DeadLettered+c.Queued+c.Lost+c.Unaccounted:
		return "THE ACCOUNT DOES NOT CLOSE: the history or the judge is wrong"
	case c.Unaccounted > 0:
		return fmt.Sprintf("the account leaves %s messages open", number(c.Unaccounted))
	default:
		return "the account closes"
	}
}

// next is what a newcomer would try after this run.
func next(res *result.Result) string {
	expected := exitCodeOf(res) == exitPass
	switch {
	case res.Verdict == result.Aborted && !expected:
		return "mend what ended the run (above), and run it again"
	case res.Verdict == oracle.Unknown && !expected:
		return "mend what could not be known (above), and run it again"
	case !expected:
		return "open the report: it shows the life of single messages, and what was in force meanwhile"
	case res.Scenario == scenarios.Default:
		return "havoq run early-ack   (the commonest real bug: a consumer that acks before it works)"
	default:
		return "havoq scenario list   (what else there is), or write your own: havoq scenario schema"
	}
}

func printSeries(w io.Writer, results []*result.Result) {
	fmt.Fprintf(w, "\n%d runs\n", len(results))
	for _, res := range results {
		ok := "as it should"
		if exitCodeOf(res) != exitPass {
			ok = "NOT as it should"
		}
		fmt.Fprintf(w, "  %-8s %-28s seed %-12d %s\n", res.Verdict, res.Scenario, res.Seed, ok)
	}
}

func (o *plainOutput) pooled(pools []result.Pooled) { printPools(o.w, pools) }

func (o *liveOutput) pooled(pools []result.Pooled) { o.story.pooled(pools) }

// jsonPooled is the last line of repeated runs.
type jsonPooled struct {
	Kind   string          `json:"kind"` // pooled
	Pooled []result.Pooled `json:"pooled"`
}

func (o *jsonOutput) pooled(pools []result.Pooled) { o.line(jsonPooled{"pooled", pools}) }

// printPools says what the runs of each scenario say together of the next time.
func printPools(w io.Writer, pools []result.Pooled) {
	for _, p := range pools {
		fmt.Fprintf(w, "\n%d runs of %s together\n", p.Runs, p.Scenario)
		printChances(w, p.Claims)
	}
}

// printChances says what the zeros are worth.
func printChances(w io.Writer, claims []oracle.Claim) {
	var lines []string
	for _, chance := range report.Chances(claims) {
		lines = append(lines, fold(w, chance, 10))
	}
	fmt.Fprintf(w, "  chance  %s\n", strings.Join(lines, ";\n          "))
}

// printReport names the report, if it is there: verify writes none.
func printReport(w io.Writer, dir string) {
	page := filepath.Join(dir, result.HTMLFile)
	if _, err := os.Stat(page); err != nil {
		page = "none yet; havoq report " + dir + " writes it"
	}
	fmt.Fprintf(w, "  report  %s\n", page)
}

// number writes thousands apart.
func number(n int64) string { return criteria.Count.Format(float64(n)) }
