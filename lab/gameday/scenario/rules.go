package scenario

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/queue"
)

func (s *Scenario) check(r *reader, n *node, _ string) {
	if name := n.get("scenario"); name != nil && name.kind == text && !isName(s.Name) {
		r.fail(name, "scenario", "%q is not a name: small letters, digits and dashes, at most 64", s.Name)
	}
	if phases := n.get("phases"); phases != nil && phases.kind == sequence && len(s.Phases) == 0 {
		r.fail(phases, "phases", "no phases: a scenario has at least one step, as in [ { baseline: 5s } ]")
	}
	if s.Title == "" {
		s.Title = s.Name
	}
	r.checkFaults(s, n)
	r.later(func(s *Scenario) {
		r.checkOrder(s, n.get("contract"))
		r.checkExternal(s, n)
		r.parseAll(s, n)
	})
}

func (p *Phase) check(r *reader, n *node, path string) {
	if len(n.entries) > 1 {
		var verbs []string
		for _, e := range n.entries {
			verbs = append(verbs, e.key)
		}
		r.failAt(n.entries[1].at, "%s: two verbs in one step (%s): write two steps, each with a dash", path, strings.Join(verbs, ", "))
	}
	if len(n.entries) == 0 {
		r.fail(n, path, "no verb: write one of baseline, inject, observe, recover, load")
	}
}

func (p *Prerequisite) check(r *reader, n *node, path string) {
	if timing := n.get("timing"); timing != nil && timing.kind == text {
		r.needed = append(r.needed, timed{timing.at, joined(path, "timing"), []string{timing.text}})
	}
	if (n.get("check") == nil) == (n.get("confirm") == nil) {
		r.fail(n, path, `write one of check: "cluster.nodes >= 3" (havoq looks) and confirm: "dashboard open" (a person says)`)
	}
}

func (t *Target) check(r *reader, n *node, path string) {
	if (n.get("cluster") == nil) == (n.get("url") == nil) {
		r.fail(n, path, "write one of cluster: { embedded: nats, nodes: 3 } and url: nats://host:4222")
		return
	}
	if at := n.get("url"); at != nil && at.kind == text {
		u, err := url.Parse(t.URL)
		switch {
		case err != nil:
			r.fail(at, joined(path, "url"), "%q is not a URL: write nats://host:4222", t.URL)
		case !slices.Contains(schemes(), u.Scheme):
			r.fail(at, joined(path, "url"), "no driver for %q: there are %s", u.Scheme, strings.Join(schemes(), ", "))
		}
	}
}

func (c *Cluster) check(r *reader, n *node, path string) {
	replicas := n.get("replicas")
	switch {
	case replicas == nil:
		c.Replicas = min(c.Nodes, 3)
	case c.Replicas > c.Nodes:
		r.fail(replicas, joined(path, "replicas"), "%d replicas need as many nodes, and there are %d", c.Replicas, c.Nodes)
	}
}

func (f *Fault) check(r *reader, n *node, path string) {
	if name := n.get("name"); name != nil && name.kind == text && (!isName(f.Name) || f.Name == "all") {
		r.fail(name, joined(path, "name"), "%q cannot name a fault: small letters, digits and dashes, and not \"all\"", f.Name)
	}
}

func (p *Probe) check(r *reader, n *node, path string) {
	if (n.get("http") == nil) == (n.get("command") == nil) {
		r.fail(n, path, "write one of http: http://127.0.0.1:8080/healthz and command: my-check --fast")
		return
	}
	if at := n.get("http"); at != nil && at.kind == text {
		r.checkWebAddress(at, joined(path, "http"), p.HTTP)
		if n.get("status") == nil {
			p.Status = 200
		}
	}
	if at := n.get("command"); at != nil && at.kind == text {
		if _, err := p.Argv(); err != nil {
			r.fail(at, joined(path, "command"), "%v", err)
		}
		r.checkSecretText(at, joined(path, "command"), p.Command)
		if status := n.get("status"); status != nil {
			r.fail(status, joined(path, "status"), "is of http probes: a command is good when its exit code is 0")
		}
	}
	if n.get("timeout") == nil {
		p.Timeout = p.Every
	}
}

// checkFaults sees that names are unique, and that each fault is injected, and before it is taken back.
func (r *reader) checkFaults(s *Scenario, n *node) {
	list := n.get("faults")
	injected, anything := map[string]bool{}, false
	for i, p := range s.Phases {
		at := n.get("phases").items[i]
		switch {
		case p.Inject != nil:
			anything = true
			for _, name := range p.Inject.Names {
				injected[name] = true
			}
		case p.Recover != nil && p.Recover.Start == "" && len(p.Recover.Names) == 0 && !anything:
			r.fail(at, indexed("phases", i), "recover: there is nothing to take back here, inject comes first")
		case p.Recover != nil:
			for _, name := range p.Recover.Names {
				if _, ok := s.Fault(name); ok && !injected[name] {
					r.fail(at, indexed("phases", i), "recover: fault %q is not in force here, inject comes first", name)
				}
			}
		}
	}
	seen := map[string]bool{}
	for i, f := range s.Faults {
		at := list.items[i]
		if name := at.get("name"); name != nil {
			at = name
		}
		switch {
		case f.Name == "":
		case seen[f.Name]:
			r.fail(at, indexed("faults", i), "two faults of the name %q: rename one", f.Name)
		case !injected[f.Name]:
			r.fail(at, indexed("faults", i), "fault %q is never injected: add a step { inject: %s }, or remove it", f.Name, f.Name)
		}
		seen[f.Name] = true
	}
}

// schemes lists the URL schemes that there are drivers for.
func schemes() []string { return []string{"nats", "tls", "memory"} }

// kept is the order that the target's broker keeps, as all drivers of today declare in queue.Caps.
func (s *Scenario) kept() queue.Order { return queue.OrderTopic }

// checkOrder refuses an order promise that the target cannot keep, or that nothing in the workload shows.
func (r *reader) checkOrder(s *Scenario, n *node) {
	at := n.get("order")
	if at == nil || s.Workload.IsExternal() {
		return
	}
	kept := s.kept()
	enough := kept == queue.OrderTopic && s.Workload.Consumers == 1 ||
		s.Contract.Order == "partition" && kept == queue.OrderPartition ||
		s.Contract.Order == "key" && (kept == queue.OrderKey || kept == queue.OrderPartition)
	switch {
	case !enough && kept == queue.OrderTopic:
		r.fail(at, "contract.order", "impossible: this broker keeps the order for one consumer, and the workload has %d; "+
			"write consumers: 1, or leave order out", s.Workload.Consumers)
	case !enough:
		r.fail(at, "contract.order", "impossible: this broker keeps no order of %s; leave order out", s.Contract.Order)
	case s.Contract.Order == "key" && s.Workload.Keys == 0:
		r.fail(at, "contract.order", "the workload sends no keys, so there is no order to judge: write keys: 64 under workload")
	}
}

// parseAll reads the expressions: criteria, guards, checks and what is expected.
func (r *reader) parseAll(s *Scenario, n *node) {
	for i, text := range s.Criteria {
		s.ParsedCriteria = append(s.ParsedCriteria, r.expression(s, n.get("criteria").items[i], indexed("criteria", i), text, criteria.Parse))
	}
	for i, text := range s.Guards {
		s.ParsedGuards = append(s.ParsedGuards, r.expression(s, n.get("guards").items[i], indexed("guards", i), text, criteria.ParseGuard))
	}
	for i, p := range s.Prerequisites {
		var c criteria.Criterion
		if at := n.get("prerequisites").items[i].get("check"); at != nil && at.kind == text {
			c = r.expression(s, at, indexed("prerequisites", i), p.Check, criteria.ParseFact)
		}
		s.ParsedChecks = append(s.ParsedChecks, c)
	}
}

func (r *reader) expression(s *Scenario, n *node, path, text string, parse func(string) (criteria.Criterion, error)) criteria.Criterion {
	c, err := parse(text)
	var syntax *criteria.SyntaxError
	if errors.As(err, &syntax) {
		r.failAt(n.letter(syntax.Column-1), "%s: %q: %s", path, text, syntax.Msg)
		return c
	}
	if msg := s.misses(c); msg != "" {
		r.failAt(n.letter(max(0, strings.Index(text, c.Query.Metric))), "%s: %q: %s", path, text, msg)
	}
	return c
}

// misses says what a criterion asks for and the scenario does not have: a probe, a phase.
func (s *Scenario) misses(c criteria.Criterion) string {
	if name, ok := c.Query.Probe(); ok {
		if _, there := s.Probes[name]; !there {
			var all []string
			for probe := range s.Probes {
				all = append(all, probe)
			}
			slices.Sort(all)
			if len(all) == 0 {
				return fmt.Sprintf("unknown probe %q: the scenario has no probes", name)
			}
			return fmt.Sprintf("unknown probe %q%s", name, remedy(name, all))
		}
	}
	has := func(verb string) bool {
		return slices.ContainsFunc(s.Phases, func(p Phase) bool { return p.Name() == verb })
	}
	if c.Query.Phase != "" && !has(c.Query.Phase) {
		return fmt.Sprintf("the scenario has no %s phase", c.Query.Phase)
	}
	if c.Relative && !has("baseline") {
		return "a multiple (x) is of the baseline, and the scenario has no baseline phase"
	}
	return ""
}
