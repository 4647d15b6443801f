package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// Verbs lists what an act can do in this version.
func Verbs() []string {
	return slices.DeleteFunc(keysOf(reflect.TypeFor[Act]()), func(key string) bool { return key == "for" })
}

// laterVerbs are words of the rule language that no layer carries out yet.
func laterVerbs() []string {
	return []string{
		"delay", "hang", "lose", "refuse", "lose-reply", "duplicate", "corrupt", "reorder", "partition", "throttle", "poison",
		"early-redeliver", "late-ack", "lose-ack", "disconnect", "fill", "stepdown",
	}
}

func unknownVerb(word string) string {
	if slices.Contains(laterVerbs(), word) {
		return fmt.Sprintf("verb %q is not available yet in this version; available: %s", word, strings.Join(Verbs(), ", "))
	}
	return fmt.Sprintf("unknown verb %q%s", word, remedy(word, append(Verbs(), "for")))
}

// Verb returns the act's one verb and what it is done to: "kill", "leader".
func (a Act) Verb() (verb, target string) {
	for _, key := range Verbs() {
		if target := a.target(key); target != "" {
			return key, target
		}
	}
	return "", ""
}

func (a Act) target(verb string) string {
	switch verb {
	case "kill":
		return a.Kill
	case "pause":
		return a.Pause
	case "stop":
		return a.Stop
	case "restart":
		return a.Restart
	case "wipe":
		return a.Wipe
	case "crash":
		return a.Crash
	}
	return ""
}

// check judges the act by itself now, and its target when the cluster is known.
func (a *Act) check(r *reader, n *node, path string) {
	var used []string
	for _, verb := range Verbs() {
		if n.get(verb) != nil {
			used = append(used, verb)
		}
	}
	switch {
	case len(used) > 1:
		r.fail(n, path, "two verbs in one act (%s): write two acts", strings.Join(used, ", "))
		return
	case len(used) == 0 && !slices.ContainsFunc(n.entries, func(e entry) bool { return e.key != "for" }):
		r.fail(n, path, "no verb: write one of %s, as in { kill: leader }", strings.Join(Verbs(), ", "))
		return
	case len(used) == 0:
		return // an unknown verb, and reported
	}
	verb, lease := used[0], n.get("for")
	if lease != nil && verb == "restart" {
		r.fail(lease, joined(path, "for"), "a restart ends by itself: remove for")
	}
	target := n.get(verb)
	if target.kind != text {
		return // reported where it was read
	}
	r.later(func(s *Scenario) { r.checkTarget(s, target, verb, joined(path, verb)) })
}

func (r *reader) checkTarget(s *Scenario, n *node, verb, path string) {
	_, own := s.Workload.App(n.text)
	switch {
	case verb == "restart" && own:
	case s.Workload.IsExternal() && (verb == "crash" || verb == "restart" && s.Target.Cluster == nil):
		r.checkApp(s, n, path)
	case verb == "crash":
		r.checkConsumer(s, n, path)
	case own:
		r.fail(n, path, "%q is a program of your own, and %s is for nodes: write { crash: %s } (kill -9) or { restart: %s }", n.text, verb, n.text, n.text)
	case n.text == "follower" && s.Target.Cluster != nil && s.Target.Cluster.Replicas < 2:
		r.fail(n, path, "the stream has one replica, so there is no follower: name a node, or leader")
	default:
		words := append(nodeNames(s), "leader", "follower", "all")
		if verb == "restart" {
			words = append(append(words, "each"), s.Workload.apps()...)
		}
		r.checkNode(s, n, path, words)
	}
}

func (r *reader) checkNode(s *Scenario, n *node, path string, words []string) {
	switch {
	case s.Target == Target{}: // missing, and reported
		return
	case s.Target.Cluster == nil:
		r.fail(n, path, "needs a cluster that havoq starts: write target: { cluster: { embedded: nats, nodes: 3 } }")
		return
	}
	if slices.Contains(words, n.text) {
		return
	}
	if i, ok := numbered(n.text, "n"); ok {
		r.fail(n, path, "node n%d is beyond the cluster of %d (%s)", i, s.Target.Cluster.Nodes, strings.Join(nodeNames(s), ", "))
		return
	}
	r.fail(n, path, "unknown node %q%s", n.text, remedy(n.text, words))
}

func (r *reader) checkConsumer(s *Scenario, n *node, path string) {
	i, ok := numbered(n.text, "consumer-")
	switch {
	case n.text == "consumers" || ok && i <= s.Workload.Consumers:
	case ok:
		r.fail(n, path, "consumer-%d is beyond the workload's %d consumers", i, s.Workload.Consumers)
	default:
		r.fail(n, path, "unknown target %q%s", n.text, remedy(n.text, []string{"consumers", "consumer-1"}))
	}
}

// numbered reads "n3" as 3: a number from 1, without a sign or leading zeros.
func numbered(word, before string) (int, bool) {
	digits, ok := strings.CutPrefix(word, before)
	i, err := strconv.Atoi(digits)
	return i, ok && err == nil && i > 0 && strconv.Itoa(i) == digits
}

// nodeNames lists the nodes of the scenario's cluster, from n1.
func nodeNames(s *Scenario) []string {
	if s.Target.Cluster == nil {
		return nil
	}
	names := make([]string, max(0, s.Target.Cluster.Nodes))
	for i := range names {
		names[i] = "n" + strconv.Itoa(i+1)
	}
	return names
}

// String says in words what the act does: "kill -9 the leader of the stream".
func (a Act) String() string {
	verb, target := a.Verb()
	on := nodeWords(target)
	out := ""
	switch verb {
	case "kill":
		out = "kill -9 " + on
	case "pause":
		out = "pause " + on + " (SIGSTOP)"
	case "stop":
		out = "stop " + on + " gracefully"
	case "restart":
		out = "restart " + on + " gracefully"
	case "wipe":
		out = "kill -9 " + on + " and wipe its disk"
	case "crash":
		switch _, consumer := numbered(target, "consumer-"); {
		case target == "consumers":
			out = "crash " + on + " with what they have in hand"
		case consumer:
			out = "crash " + on + " with what it has in hand"
		default: // a program of the user's own
			out = "kill -9 " + on
		}
	default:
		return "nothing"
	}
	if a.For > 0 {
		out += " for " + a.For.String()
	}
	return out
}

func nodeWords(target string) string {
	switch target {
	case "leader":
		return "the leader of the stream"
	case "follower":
		return "a follower of the stream"
	case "all":
		return "all nodes"
	case "each":
		return "each node, one after the other,"
	case "consumers":
		return "all consumers"
	default:
		return target
	}
}

// plain writes a duration without zero parts: "5m", not "5m0s".
func plain(d time.Duration) string {
	if d < time.Minute {
		return criteria.FormatSeconds(d.Seconds())
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
