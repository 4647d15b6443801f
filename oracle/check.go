package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// check is one promise that a contract may make.
type check struct {
	anomaly string
	// promised says whether the contract makes the promise. One that every contract makes is left out where a source cannot
	// see its anomaly; of one that this contract asks for, nobody knows then.
	promised func(Contract) bool
	// vacuous says why a zero proves nothing; "" if it does.
	vacuous func(*account) string
}

// checks lists all promises, in the order of reports. Each reads "<anomaly> == 0".
func checks() []check {
	return []check{
		{Lost, func(c Contract) bool { return c.delivery() != AtMostOnce }, notDrained},
		{Duplicated, func(c Contract) bool { return c.delivery() != AtLeastOnce }, mayHideDuplicates},
		{Reordered, func(c Contract) bool { return c.Order != NoOrder }, noPairs},
		{Corrupted, forbids(Corrupted), notDelivered},
		{Unexpected, forbids(Unexpected), notTold},
		{FailedButDelivered, forbids(FailedButDelivered), notDelivered},
		{Late, func(c Contract) bool { return c.MaxDelay > 0 }, notTimed},
	}
}

func (c Contract) delivery() Delivery {
	if c.Delivery == "" {
		return AtLeastOnce
	}
	return c.Delivery
}

func nothingDelivered(a *account) string {
	if a.counts.Deliveries == 0 && a.counts.Processed == 0 {
		return "nothing was delivered"
	}
	return ""
}

// notDelivered says that there were deliveries of which the history does not tell: nobody looked at them.
func notDelivered(a *account) string {
	if a.untold > 0 {
		return fmt.Sprintf("%d messages were processed and the history does not tell of their delivery", a.untold)
	}
	return nothingDelivered(a)
}

func notTimed(a *account) string {
	if why := a.judge.apart(a.judge.split, "the delay"); why != "" {
		return why
	}
	if n := a.judge.untimed; n > 0 {
		return fmt.Sprintf("%d messages came so late that it is not kept when they were meant to be sent (raise the judge's memory)", n)
	}
	return notDelivered(a)
}

func mayHideDuplicates(a *account) string {
	if why := a.judge.apart(a.judge.repeats, "what came between the deliveries"); why != "" {
		return why
	}
	if n := a.judge.retriesGap; n > 0 {
		return fmt.Sprintf("the recorder forgot %d messages that waited to be sent again: what was sent again counts as another "+
			"message, and no repetition of it is seen", n)
	}
	return nothingDelivered(a)
}

func notTold(a *account) string {
	if a.vague > 0 {
		return fmt.Sprintf("the history was cut off: %d messages were received of which it does not tell whether they were sent",
			a.vague)
	}
	return nothingDelivered(a)
}

func noPairs(a *account) string {
	if why := a.judge.apart(a.judge.split, "the order"); why != "" {
		return why
	}
	if n := a.judge.keysGap; n > 0 && a.judge.config.Contract.Order == OrderKey {
		return fmt.Sprintf("the recorder forgot %d keys: the order of the next message of each was not judged", n)
	}
	if n := a.judge.unordered; n > 0 {
		return fmt.Sprintf("the order of %d messages could not be judged: the history does not tell for sure what came before them", n)
	}
	if a.counts.OrderedPairs == 0 {
		return "no two messages were ever sent one after the other's ack, so that no order was promised"
	}
	return ""
}

func notDrained(a *account) string {
	if a.counts.Acked == 0 {
		return "nothing was acked"
	}
	if len(a.judge.list) == 0 {
		return "no consumer group was seen"
	}
	for _, g := range a.judge.list {
		if !g.drained && a.judge.tellsLoss(g) {
			return g.undrained()
		}
	}
	if a.forwarded > 0 {
		return fmt.Sprintf("%d acked messages are missing that may have got to another topic: the outcome of sending them there is "+
			"not known", a.forwarded)
	}
	if len(a.unread) > 0 {
		return a.unread[0]
	}
	return ""
}

// undrained says why it is not known that the group has everything.
func (g *group) undrained() string {
	name := fmt.Sprintf("group %q", g.name)
	switch {
	case !g.asked:
		return name + " was not drained: the history has no drain of it"
	case g.drain.Outcome.String() == "ok" && g.drain.Value == 0:
		return name + " was not drained: " + g.refuted + " after its drain"
	case g.drain.Value > 0:
		return fmt.Sprintf("%s was not drained: the broker holds %.0f more messages%s", name, g.drain.Value, note(g.drain.Detail))
	default:
		return name + " was not drained" + note(g.drain.Detail)
	}
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// forbids is the promise that a contract makes without a word.
func forbids(anomaly string) func(Contract) bool {
	return func(c Contract) bool { return !slices.Contains(c.Allow, anomaly) }
}

// implied lists the anomalies that a contract forbids without a word.
func implied() []string { return []string{Corrupted, Unexpected, FailedButDelivered} }

// judge judges one promise. A check that crashes knows nothing.
func (c check) judge(a *account) (result Check) {
	result = Check{Expr: c.anomaly + " == 0", Verdict: Unknown}
	defer func() {
		if r := recover(); r != nil {
			result.Verdict, result.Reason = Unknown, fmt.Sprintf("this check crashed: %v", r)
		}
	}()
	n := *a.tally[c.anomaly]
	result.Value = value(c.anomaly, n, &a.counts)
	broken := n.Total
	if slices.Contains(a.judge.config.Contract.Forgive, caused) {
		broken -= n.Caused
	}
	if broken > 0 {
		if c.anomaly == Reordered && a.judge.unordered > 0 || c.anomaly == Late && a.judge.untimed > 0 {
			result.Value = "at least " + result.Value
		}
		result.Verdict = Fail
		return result
	}
	if s := a.judge.blind(c.anomaly); s != nil {
		result.Reason = fmt.Sprintf("%s cannot see what is %s: take the promise out of the contract, or add a source that can see it",
			s.Name, strings.ReplaceAll(c.anomaly, "_", " "))
		return result
	}
	if result.Reason = c.vacuous(a); result.Reason == "" {
		result.Verdict = Pass
		result.Value += a.judge.beyond(c.anomaly)
	}
	return result
}

// value tells what was found, for people.
func value(anomaly string, n Anomaly, c *Counts) string {
	var parts []string
	add := func(k int64, what string) {
		if k > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", k, what))
		}
	}
	if anomaly == Lost {
		add(c.LostPrefix, "prefix")
		add(c.LostMiddle, "middle")
		add(c.LostTail, "tail")
		if len(parts) > 0 {
			parts = []string{strings.Join(parts, ", ")}
		}
	}
	var how []string
	parts, how = nil, parts
	add(n.Caused, "caused by a fault's hit")
	add(n.During, "during a fault")
	add(n.Unexplained, "unexplained")
	if len(parts) > 0 {
		how = append(how, strings.Join(parts, ", "))
	}
	if len(how) == 0 {
		return fmt.Sprint(n.Total)
	}
	return fmt.Sprintf("%d (%s)", n.Total, strings.Join(how, "; "))
}
