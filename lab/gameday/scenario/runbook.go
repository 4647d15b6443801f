package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Runbook writes the scenario as a Game Day runbook in Markdown: what is believed, what must hold first, who does what, the
// steps in words with the command or Go call of each act, and how success is told.
func Runbook(s *Scenario) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Scenario: %s\n\n", s.Title)
	if s.Hypothesis != "" {
		fmt.Fprintf(&b, "**Hypothesis:** %s\n\n", strings.Join(strings.Fields(s.Hypothesis), " "))
	}
	fmt.Fprintf(&b, "Run all of it: `%s`%s\n", s.command(s.Set["timing"]), s.otherTimings())
	s.writePrerequisites(&b)
	s.writeRoles(&b)
	s.writeSetup(&b)
	s.writeSteps(&b)
	s.writeSuccess(&b)
	s.writeGuards(&b)
	return b.String()
}

// command runs the scenario, a file or a shipped one, as it was read, with this timing (empty: its own).
func (s *Scenario) command(timing string) string {
	out := "havoq run " + s.File
	if s.File == "" || s.File == s.Name+".yaml" {
		out = "havoq run " + s.Name
	}
	for _, key := range slices.Sorted(maps.Keys(s.Set)) {
		if key != "timing" {
			out += " --set " + quoted(key+"="+s.Set[key])
		}
	}
	if timing != "" {
		out += " --set timing=" + timing
	}
	return out
}

// quoted writes a word for a shell.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/=:%,") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (s *Scenario) otherTimings() string {
	var others []string
	for _, name := range s.Timings {
		if name != s.Timing {
			others = append(others, fmt.Sprintf("`%s`", s.command(name)))
		}
	}
	if len(others) == 0 {
		return ""
	}
	return fmt.Sprintf(" (timing %s; also %s)", s.Timing, strings.Join(others, ", "))
}

func (s *Scenario) writePrerequisites(b *strings.Builder) {
	if len(s.Prerequisites) == 0 {
		return
	}
	b.WriteString("\n## Prerequisites\n\n")
	for _, p := range s.Prerequisites {
		how, what := "checked by havoq", "`"+p.Check+"`"
		if p.Confirm != "" {
			how, what = "confirmed by a person", p.Confirm
		}
		if p.Timing != "" {
			how += ", with timing " + p.Timing
		}
		fmt.Fprintf(b, "- [ ] %s (%s)\n", what, how)
	}
}

func (s *Scenario) writeRoles(b *strings.Builder) {
	if len(s.Roles) == 0 {
		return
	}
	b.WriteString("\n## Roles\n\n| role | who |\n|---|---|\n")
	for _, role := range slices.Sorted(maps.Keys(s.Roles)) {
		who := s.Roles[role]
		if who == "" {
			who = "`--role " + role + "=NAME`"
		}
		fmt.Fprintf(b, "| %s | %s |\n", role, who)
	}
}

func (s *Scenario) writeSetup(b *strings.Builder) {
	target := "`" + s.Target.URL + "`"
	if c := s.Target.Cluster; c != nil {
		target = fmt.Sprintf("an embedded cluster of %d %s nodes, each message on %d of them", c.Nodes, c.Embedded, c.Replicas)
	}
	w := s.Workload
	fmt.Fprintf(b, "\n## System and load\n\n- Target: %s\n", target)
	if w.IsExternal() {
		s.writeExternal(b)
		return
	}
	fmt.Fprintf(b, "- Load: %d producers send %s of %s together, %d consumers process and ack", w.Producers, w.Rate, w.Size, w.Consumers)
	if w.Ack == "early" {
		b.WriteString(" (before the work)")
	}
	b.WriteString("\n")
}

// writeExternal says what the application is, and by what it is seen.
func (s *Scenario) writeExternal(b *strings.Builder) {
	fmt.Fprintf(b, "- Load: %s\n", s.Workload)
	for _, a := range s.Workload.External {
		fmt.Fprintf(b, "   - %s: `%s`\n", a.Name, strings.Join(a.Command, " "))
	}
	for _, line := range s.Observe.lines() {
		fmt.Fprintf(b, "- Seen by: %s\n", line)
	}
}

func (s *Scenario) writeSteps(b *strings.Builder) {
	b.WriteString("\n## Steps\n\n")
	step := 0
	next := func(text string) {
		step++
		fmt.Fprintf(b, "%d. %s\n", step, text)
	}
	for _, p := range s.Phases {
		next(stepWords(p))
		switch {
		case p.Inject != nil && len(p.Inject.Names) == 0:
			fmt.Fprintf(b, "   - %s\n", actCode(p.Inject.Act))
		case p.Inject != nil:
			for _, name := range p.Inject.Names {
				f, _ := s.Fault(name)
				fmt.Fprintf(b, "   - %s: %s: %s\n", name, f.Do, actCode(f.Do))
			}
		case p.Recover != nil:
			s.writeRecover(b, *p.Recover)
		}
	}
	next("Stop the load, and wait until every group is proven to have nothing left")
	next("Verify all messages: each acked one is accounted for, each anomaly attributed (`havoq verify RUN-FOLDER`)")
}

func stepWords(p Phase) string {
	switch {
	case p.Baseline != nil:
		return "Start baseline measurement (" + plain(p.Baseline.For) + ")"
	case p.Inject != nil:
		return "Inject failure: " + p.Inject.String()
	case p.Observe != nil && p.Observe.Until != "":
		return "Verify automatic fail-over: observe until it is " + p.Observe.Until + " that the system works again, at most " + plain(p.Observe.For)
	case p.Observe != nil:
		return "Observe system behaviour " + p.Observe.String()
	case p.Recover != nil:
		return "Recover: " + p.Recover.String()
	default:
		return "Change the load: " + p.Load.String() + ", then back"
	}
}

// actCode shows the act as a step of a scenario, and as a call in Go where it has one of its own there.
func actCode(a Act) string {
	verb, target := a.Verb()
	lease := ""
	if a.For > 0 {
		lease = ", for: " + a.For.String()
	}
	out := fmt.Sprintf("`inject: { %s: %s%s }`", verb, target, lease)
	if call := goCall(verb, target); call != "" {
		out += fmt.Sprintf(", in Go `%s`", call)
	}
	return out
}

// goCall is the method of cluster.Cluster, or of workload.Workload, that does it.
func goCall(verb, target string) string {
	named := numberedNode(target)
	switch {
	case verb == "kill":
		return fmt.Sprintf("cluster.InjectBrokerFailure(ctx, stream, %q)", target)
	case verb == "crash" && strings.HasPrefix(target, "consumer"):
		return fmt.Sprintf("workload.Crash(ctx, %q)", target)
	case verb == "pause" && named:
		return fmt.Sprintf("cluster.Pause(ctx, %q)", target)
	case verb == "stop" && named:
		return fmt.Sprintf("cluster.Stop(ctx, %q)", target)
	case verb == "wipe" && named:
		return fmt.Sprintf("cluster.Wipe(ctx, %q)", target)
	}
	return ""
}

func numberedNode(target string) bool {
	_, ok := numbered(target, "n")
	return ok
}

func (s *Scenario) writeRecover(b *strings.Builder, c Recover) {
	switch {
	case c.Start != "" && c.Wipe:
		fmt.Fprintf(b, "   - `recover: { start: %s, wipe: true }`\n", c.Start)
	case c.Start != "":
		fmt.Fprintf(b, "   - `recover: { start: %s }`, in Go `cluster.RecoverBroker(ctx, %q)`\n", c.Start, c.Start)
	case len(c.Names) == 0:
		b.WriteString("   - `recover: all`, in Go `cluster.RecoverBroker(ctx, node)` for each\n")
	default:
		fmt.Fprintf(b, "   - `recover: [%s]`\n", strings.Join(c.Names, ", "))
	}
}

func (s *Scenario) writeSuccess(b *strings.Builder) {
	b.WriteString("\n## Success criteria\n\n")
	for _, line := range s.Contract.promises() {
		fmt.Fprintf(b, "- %s\n", line)
	}
	for _, text := range s.Criteria {
		fmt.Fprintf(b, "- `%s`\n", text)
	}
	b.WriteString("- Every fault is seen in force, and seen gone; what cannot be known is unknown, and not a success\n")
	if s.Expect != nil {
		fmt.Fprintf(b, "\nThis scenario shows a flaw: it is expected to end with %s.\n", s.Expect)
	}
}

// promises says in words what the contract promises.
func (c Contract) promises() []string {
	var out []string
	switch c.Delivery {
	case "at-most-once":
		out = append(out, "Contract at-most-once: no message is delivered twice")
	case "at-least-once":
		out = append(out, "Contract at-least-once: no acked message is lost (`lost == 0`)")
	case "exactly-once":
		out = append(out, "Contract exactly-once: no acked message is lost, none is processed twice")
	}
	if c.Order != "" {
		out = append(out, "Messages of one "+c.Order+" keep their order (`reordered == 0`)")
	}
	if c.MaxDelay > 0 {
		out = append(out, "Each message is delivered within "+c.MaxDelay.String()+" (`late == 0`)")
	}
	for _, a := range c.Allow {
		out = append(out, "What is "+strings.ReplaceAll(a, "_", " ")+" is reported, and does not fail the run")
	}
	return out
}

func (s *Scenario) writeGuards(b *strings.Builder) {
	if len(s.Guards) == 0 {
		return
	}
	b.WriteString("\n## Stop conditions\n\nIf one of these is broken, the run is aborted and everything recovered:\n\n")
	for _, text := range s.Guards {
		fmt.Fprintf(b, "- `%s`\n", text)
	}
}
