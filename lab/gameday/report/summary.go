package report

import (
	"fmt"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// Summary is the run in sentences.
type Summary struct {
	Verdict  string   // pass, fail, unknown, aborted
	Headline string   // the verdict in a sentence
	Halves   []Half   // the verdicts on safety and on liveness
	Facts    []string // what happened, a sentence each
	Trust    []Trust  // why to believe it
}

// Trust is one ground to believe the verdict, or not to.
type Trust struct {
	Holds oracle.Verdict // pass: it holds; fail: it does not; unknown: it cannot be told
	What  string         // "The account closes"
	How   string         // the figures
}

// Summarize tells a run in sentences.
func Summarize(r *result.Result) Summary {
	return Summary{Verdict: verdictWord(r.Verdict), Headline: headline(r), Halves: halves(r), Facts: factSentences(r), Trust: trust(r)}
}

// verdictWord is one of the four words: a result that was read from a file may hold any text.
func verdictWord(v oracle.Verdict) string { return verdictClass(v) }

func headline(r *result.Result) string {
	expected := ""
	if r.Expected != nil {
		expected = ", as the scenario expects"
		if !*r.Expected {
			expected = ", and the scenario expects something else (" + r.Expect + ")"
		}
	}
	first := ""
	if len(r.Reasons) > 0 {
		first = r.Reasons[0]
	}
	switch r.Verdict {
	case oracle.Pass:
		return "Passed" + expected + ": no promise was broken, and " + heldWords(len(r.Criteria)) + "."
	case oracle.Fail:
		if r.Counts.Lost > 0 {
			first = messages(r.Counts.Lost) + " that " + lostBy(r) + " " + wasWere(r.Counts.Lost) + " lost"
		}
		return sentence("Failed" + expected + ": " + first)
	case result.Aborted:
		return sentence("Aborted" + expected + ": " + first)
	default:
		return sentence("Unknown" + expected + ": " + first)
	}
}

func heldWords(n int) string {
	switch n {
	case 0:
		return "there was no criterion to break"
	case 1:
		return "the criterion held"
	default:
		return fmt.Sprintf("all %d criteria held", n)
	}
}

func wasWere(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func factSentences(r *result.Result) []string {
	facts := []string{accountSentence(r)}
	if s := downtimeSentence(r); s != "" {
		facts = append(facts, s)
	}
	if n := r.Anomalies[oracle.Redelivered].Total; n > 0 {
		facts = append(facts, fmt.Sprintf("%s delivered again before %s ack was confirmed, which at-least-once allows.",
			sentenceCount(n), itsTheir(n)))
	}
	return facts
}

func sentenceCount(n int64) string { return messages(n) + " " + wasWere(n) }

func itsTheir(n int64) string {
	if n == 1 {
		return "its"
	}
	return "their"
}

func accountSentence(r *result.Result) string {
	c := r.Counts
	if c.Offered == 0 {
		return "No message was offered."
	}
	told := []string{"acknowledged " + number(c.Acked)}
	if c.Failed > 0 {
		told = append(told, "refused "+number(c.Failed))
	}
	if c.InDoubt > 0 {
		told = append(told, fmt.Sprintf("left %s in doubt", number(c.InDoubt)))
	}
	text := fmt.Sprintf("Of %s offered, the broker %s", messages(c.Offered), enumerate(told))
	if !r.Drained || !r.Complete {
		return text + fmt.Sprintf("; %s of those are known to be processed, and what became of the others is not known.", number(c.Processed))
	}
	by := "" // whom
	if sum := c.Processed + c.DeadLettered + c.Queued + c.Lost + c.Unaccounted; sum != c.Acked {
		by = " by all groups together"
	}
	if c.Lost == 0 {
		return text + fmt.Sprintf("; %s were processed%s and none was lost.", number(c.Processed), by)
	}
	return text + fmt.Sprintf("; %s were processed%s and %s lost.", number(c.Processed), by, number(c.Lost))
}

// enumerate joins with commas, and "and" before the last.
func enumerate(parts []string) string {
	n := len(parts) - 1
	if n < 1 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:n], ", ") + " and " + parts[n]
}

func downtimeSentence(r *result.Result) string {
	d := r.Downtime
	if len(r.Faults) == 0 || !r.Complete {
		return ""
	}
	if d.Produce == 0 && d.Consume == 0 {
		return "Neither sending nor receiving ever stopped."
	}
	text := fmt.Sprintf("Sending was down for %s and receiving for %s", duration(d.Produce), duration(d.Consume))
	worst, known := 0.0, len(r.Recovery) > 0
	for _, f := range r.Recovery {
		worst, known = max(worst, f.Failover), known && f.Failover >= 0
	}
	switch {
	case known && worst > 0:
		return text + fmt.Sprintf("; the longest fail-over took %s.", duration(worst))
	case !known:
		return text + "; how long the fail-over took is not known."
	}
	return text + "."
}

func trust(r *result.Result) []Trust {
	return []Trust{trustAccount(r), trustSelfTest(r), trustDrain(r), trustFaults(r), trustHistory(r)}
}

func trustAccount(r *result.Result) Trust {
	c := r.Counts
	t := Trust{oracle.Pass, "The account closes", fmt.Sprintf("%s offered = %s acked + %s failed + %s in doubt",
		number(c.Offered), number(c.Acked), number(c.Failed), number(c.InDoubt))}
	ends := c.Processed + c.DeadLettered + c.Queued + c.Lost + c.Unaccounted
	if r.Groups == 1 {
		t.How += fmt.Sprintf("; %s acked = %s processed + %s dead-lettered + %s queued + %s lost", number(c.Acked), number(c.Processed),
			number(c.DeadLettered), number(c.Queued), number(c.Lost))
		if c.Unaccounted > 0 {
			t.How += fmt.Sprintf(" + %s of which nobody knows", number(c.Unaccounted))
		}
	}
	switch {
	case c.Offered != c.Acked+c.Failed+c.InDoubt || r.Groups == 1 && c.Acked != ends:
		t.Holds, t.What = oracle.Fail, "The account does not close"
	case c.Offered == 0:
		t.Holds, t.What, t.How = oracle.Unknown, "There is nothing to account for", "no message was offered"
	}
	return t
}

func trustSelfTest(r *result.Result) Trust {
	s := r.SelfTest
	t := Trust{oracle.Pass, "The judge tested itself", fmt.Sprintf("found %d of %d anomalies planted in a copy of this history", s.Found, s.Planted)}
	switch {
	case s.Planted == 0:
		t.Holds, t.What, t.How = oracle.Unknown, "The judge did not test itself", "nothing could be planted in this history"
	case s.Found < s.Planted:
		t.Holds, t.What = oracle.Fail, "The judge failed its own test"
		t.How += "; missed " + strings.Join(s.Missed, ", ")
	}
	return t
}

func trustDrain(r *result.Result) Trust {
	if r.Drained {
		return Trust{oracle.Pass, "The queue was drained", "proven empty, so what did not arrive is lost and not late"}
	}
	how := "what did not arrive may be lost or still waiting"
	for _, d := range r.Drains {
		if !d.Proven && d.Left >= 0 {
			how = fmt.Sprintf("%s left in group %q", messages(int64(d.Left)), d.Group)
			break
		}
	}
	return Trust{oracle.Unknown, "The queue was not proven empty", how}
}

func trustFaults(r *result.Result) Trust {
	seen := 0
	for _, f := range r.Faults {
		if f.Seen > 0 {
			seen++
		}
	}
	n := len(r.Faults)
	switch {
	case n == 0:
		return Trust{oracle.Unknown, "No fault was injected", "only load and time acted on the system"}
	case seen < n:
		return Trust{oracle.Unknown, "Not every fault was seen in force", fmt.Sprintf("%d of %d", seen, n)}
	}
	return Trust{oracle.Pass, "Every fault was seen in force", fmt.Sprintf("%d of %d, while %s were under way",
		seen, n, things(r.Exposed, "send"))}
}

func trustHistory(r *result.Result) Trust {
	if r.Complete {
		return Trust{oracle.Pass, "The history is whole", "from the first event to the run's own end"}
	}
	return Trust{oracle.Unknown, "The history breaks off", "the run did not come to its own end"}
}

// lostBy says what was promised of the messages that were lost.
func lostBy(r *result.Result) string {
	if len(r.Sources) > 0 {
		return "the application was given"
	}
	return "the broker had acknowledged"
}
