package scenario

import (
	"fmt"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// Describe says in one line what the phase does: "inject: kill -9 the leader of the stream".
func (p Phase) Describe() string {
	switch p.Name() {
	case "baseline":
		return "baseline for " + plain(p.Baseline.For)
	case "inject":
		return "inject: " + p.Inject.String()
	case "observe":
		return "observe " + p.Observe.String()
	case "recover":
		return "recover: " + p.Recover.String()
	case "load":
		return "load " + p.Load.String()
	}
	return "nothing"
}

// String says what is injected: the act in words, or the names of the faults.
func (i Inject) String() string {
	if len(i.Names) == 0 {
		return i.Act.String()
	}
	return strings.Join(i.Names, ", ")
}

// String says how long: "for 10s", "until decided, at most 35s".
func (s Span) String() string {
	if s.Until == "" {
		return "for " + plain(s.For)
	}
	return "until " + s.Until + ", at most " + plain(s.For)
}

// String says what is taken back: "all faults", "split, degrade", "start n1 on an empty disk".
func (c Recover) String() string {
	switch {
	case c.Start != "" && c.Wipe:
		return "start " + c.Start + " on an empty disk"
	case c.Start != "":
		return "start " + c.Start
	case len(c.Names) == 0:
		return "all faults"
	default:
		return strings.Join(c.Names, ", ")
	}
}

// String says the rate and the time: "10x for 5s".
func (l Load) String() string {
	rate := l.Rate.String()
	if l.Factor > 0 {
		rate = trimFloat(l.Factor) + "x"
	}
	return rate + " for " + plain(l.For)
}

// String describes the load: "4 producers, 2 consumers, 2,000/s of 512B, 64 keys", "your own application (billing)".
func (w Workload) String() string {
	switch {
	case len(w.External) > 0:
		return "your own application (" + strings.Join(w.apps(), ", ") + ")"
	case w.IsExternal():
		return "your own application, which runs by itself"
	}
	parts := []string{things(w.Producers, "producer"), things(w.Consumers, "consumer")}
	if w.Rate > 0 {
		rate := w.Rate.String()
		if w.Size > 0 {
			rate += " of " + w.Size.String()
		}
		parts = append(parts, rate)
	}
	if w.Keys > 0 {
		parts = append(parts, things(w.Keys, "key"))
	}
	if w.Work > 0 {
		parts = append(parts, w.Work.String()+" of work a message")
	}
	if w.Ack == "early" {
		parts = append(parts, "acked before the work")
	}
	if w.Limit > 0 {
		parts = append(parts, fmt.Sprintf("a stream of at most %s messages", criteria.Count.Format(float64(w.Limit))))
	}
	return strings.Join(parts, ", ")
}

func things(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return criteria.Count.Format(float64(n)) + " " + thing + "s"
}
