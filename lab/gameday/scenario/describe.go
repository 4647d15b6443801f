package scenario

import "strings"

// Describe says in words what the phase does, in one line: "inject: kill -9 the leader of the stream".
func (s *Scenario) Describe(p Phase) string {
	switch p.Verb() {
	case "baseline":
		return "baseline for " + plain(p.Baseline.For)
	case "inject":
		return "inject: " + s.acts(*p.Inject)
	case "observe":
		return "observe " + p.Observe.String()
	case "recover":
		return "recover: " + p.Recover.String()
	case "load":
		return "load " + p.Load.String()
	}
	return "nothing"
}

func (s *Scenario) acts(i Inject) string {
	if len(i.Names) == 0 {
		return i.Act.String()
	}
	parts := make([]string, len(i.Names))
	for j, name := range i.Names {
		f, _ := s.Fault(name)
		parts[j] = name + " (" + f.Do.String() + ")"
	}
	return strings.Join(parts, ", ")
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
