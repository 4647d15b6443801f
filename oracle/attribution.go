package oracle

import (
	"strings"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// allows says which anomalies a verb can cause in the message that it struck. A verb that is not here causes none: what it
// does is during it.
func allows(verb, anomaly string) bool {
	switch verb {
	case "lose":
		return anomaly == Lost
	case "corrupt": // a message whose envelope is damaged is found by nobody
		return anomaly == Corrupted || anomaly == Lost
	case "duplicate", "lose-reply", "lose-ack", "early-redeliver", "late-ack":
		return anomaly == Duplicated || anomaly == Redelivered
	case "disconnect":
		return anomaly == Redelivered
	case "reorder":
		return anomaly == Reordered
	case "delay", "hang", "throttle":
		return anomaly == Late
	default:
		return false
	}
}

func isVerb(word string) bool {
	for _, anomaly := range Names() {
		if allows(word, anomaly) {
			return true
		}
	}
	return false
}

// firstWord returns the verb of "kill n2".
func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// hitKey is a message, within the run.
type hitKey struct {
	queue.Track
	seq uint64
}

// hit is one message struck by a fault. It can answer for one anomaly of each group.
type hit struct {
	fault *injected
	verb  string
	group *group // nil: the producer's side, so that every group meets it
	spent uint64 // a bit for each group number
}

func (h *hit) usable(g *group) bool {
	return (h.group == nil || h.group == g) && h.spent&(1<<g.number) == 0
}

// hit reads that a fault struck a message; false: no such fault began.
func (j *Judge) hit(e *history.Event) bool {
	f := j.faults.named(e.Name)
	if f == nil {
		return false
	}
	f.struck++
	h := &hit{fault: f, verb: j.verb(e, f)}
	if e.Group != "" {
		if h.group = j.group(e.Group); h.group == nil {
			return true
		}
	}
	if h.verb != "" && (!j.runSet || e.Identity.Run == j.run) {
		key := hitKey{e.Identity.Track(), e.Identity.Seq}
		j.faults.hits[key] = append(j.faults.hits[key], h)
	}
	return true
}

func (j *Judge) verb(e *history.Event, f *injected) string {
	mapped := ""
	if j.config.Verbs != nil {
		mapped = j.config.Verbs(f.Name)
	}
	for _, word := range []string{firstWord(e.Detail), mapped, firstWord(f.What), f.Name} {
		if isVerb(word) {
			return word
		}
	}
	return ""
}

// Attributions, as in Witness.
const (
	caused      = "caused"
	during      = "during"
	unexplained = "unexplained"
)

// attribute says what explains an anomaly. atEnd: it is judged at the end, and may be judged again, so it spends no hit; nor need
// it, because no verb allows two of the anomalies that are judged there.
func (j *Judge) attribute(anomaly string, span Window, id *queue.Identity, g *group, atEnd bool) (how string, by *injected) {
	if h := j.culprit(anomaly, id, g); h != nil {
		if !atEnd {
			h.spent |= 1 << g.number
		}
		return caused, h.fault
	}
	if f := j.faults.during(span, j.config.SettleTime); f != nil {
		return during, f
	}
	return unexplained, nil
}

// culprit returns a hit on the message that can answer for the anomaly, or nil.
func (j *Judge) culprit(anomaly string, id *queue.Identity, g *group) *hit {
	if id == nil || len(j.faults.hits) == 0 {
		return nil
	}
	for _, h := range j.faults.hits[hitKey{id.Track(), id.Seq}] {
		if allows(h.verb, anomaly) && h.usable(g) {
			return h
		}
	}
	return nil
}

// found counts an anomaly that is judged as it happens.
func (j *Judge) found(anomaly string, span Window, id *queue.Identity, g *group) {
	how, by := j.attribute(anomaly, span, id, g, false)
	j.tally[anomaly].add(how)
	if by != nil {
		if by.anomalies == nil {
			by.anomalies = make(map[string]int64)
		}
		by.anomalies[anomaly]++
	}
	if anomaly == Late || anomaly == Reordered {
		j.hastily(anomaly, how, by, id)
	}
	j.wit.add(anomaly, how, by, g, id)
}

func (a *Anomaly) add(how string) {
	a.Total++
	switch how {
	case caused:
		a.Caused++
	case during:
		a.During++
	default:
		a.Unexplained++
	}
}
