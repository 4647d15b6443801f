package result_test

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/queue"
)

// tape makes histories: a hundred messages a second from one producer to one consumer, over a broker whose leader may die.
type tape struct {
	events []history.Event
	seq    uint64
}

const (
	ms     = int64(time.Millisecond)
	second = int64(time.Second)
)

func (t *tape) add(at int64, e history.Event) {
	e.At = at
	t.events = append(t.events, e)
}

func (t *tape) id() queue.Identity {
	t.seq++
	return queue.Identity{Run: 7, Producer: 1, Seq: t.seq - 1}
}

// message goes through everything; the broker answers, and delivers, at answer.
func (t *tape) message(intended, answer int64) queue.Identity {
	id := t.sent(intended, answer)
	t.received(id, intended, answer+ms)
	return id
}

func (t *tape) sent(intended, answer int64) queue.Identity {
	id := t.id()
	t.add(intended, history.Event{Kind: history.Invoke, Identity: id, Attempt: 1, Intended: intended, Client: "producer-1"})
	t.add(answer, history.Event{Kind: history.Outcome, Identity: id, Attempt: 1, Outcome: queue.OK, Offset: int64(id.Seq), Client: "producer-1"})
	return id
}

func (t *tape) received(id queue.Identity, intended, at int64) {
	e := history.Event{Identity: id, Group: "workers", Client: "consumer-1", Attempt: 1, Intended: intended, Offset: int64(id.Seq)}
	for i, kind := range []history.Kind{history.Deliver, history.Processed, history.Settle} {
		e.Kind = kind
		if kind == history.Settle {
			e.Ack, e.Outcome = true, queue.OK
		}
		t.add(at+int64(i)*ms, e)
	}
}

// steady sends from one time to another, answered after 2 ms, or once the broker is back.
func (t *tape) steady(from, to, down, up int64) {
	for at := from; at < to; at += 10 * ms {
		answer := at + 2*ms
		if answer >= down && answer < up {
			answer = up + (at-down)/100
		}
		t.message(at, answer)
	}
}

func (t *tape) phase(at int64, name string) {
	t.add(at, history.Event{Kind: history.Phase, Name: name})
}

func (t *tape) node(at int64, node, state string) {
	t.add(at, history.Event{Kind: history.Node, Node: node, Detail: state})
}

func (t *tape) fault(at int64, kind history.Kind, detail string) {
	t.add(at, history.Event{Kind: kind, Name: "kill leader", Node: "n1", Detail: detail, Value: 1})
}

// end drains and ends the run.
func (t *tape) end(at int64) {
	t.add(at, history.Event{Kind: history.Drain, Group: "workers", Outcome: queue.OK, Detail: "0 ready, 0 in flight"})
	t.phase(at+ms, "")
	t.add(at+2*ms, history.Event{Kind: history.End})
}

// read gives the events in the order in which they happened.
func (t *tape) read() func() iter.Seq[history.Event] {
	slices.SortStableFunc(t.events, func(a, b history.Event) int { return cmp.Compare(a.At, b.At) })
	return func() iter.Seq[history.Event] { return slices.Values(t.events) }
}

// kill is a whole run: five seconds of baseline, a dead leader, three seconds without one, recovery.
func kill() *tape {
	t := &tape{}
	t.outline()
	t.steady(100*ms, 14*second, 5*second, 8*second)
	t.end(15 * second)
	return t
}

// outline is the run without its messages and its end.
func (t *tape) outline() {
	for _, n := range []string{"n1", "n2", "n3"} {
		t.node(0, n, "up")
	}
	t.node(1, "n1", "leader")
	t.add(2, history.Event{Kind: history.Note, Name: "Ada", Detail: "the dashboard is open"})
	t.phase(50*ms, "baseline")
	t.phase(5*second, "inject")
	t.fault(5*second, history.FaultBegin, "kill n1")
	t.node(5*second+1, "n1", "down")
	t.fault(5*second+40*ms, history.FaultSeen, "the process is gone")
	t.phase(5*second+50*ms, "observe")
	t.node(7900*ms, "n2", "leader")
	t.phase(10*second, "recover")
	t.fault(10*second, history.HealBegin, "")
	t.node(10*second+1, "n1", "starting")
	t.fault(10500*ms, history.HealSeen, "n1 has caught up")
	t.node(10500*ms+1, "n1", "up")
	t.phase(10600*ms, "observe")
	for at := second; at < 14*second; at += second {
		t.add(at, history.Event{Kind: history.Sample, Name: "rss", Node: "havoq", Value: float64(100 + at/second)})
		t.add(at+1, history.Event{Kind: history.Sample, Name: "rss", Node: "n1", Value: 1000})
		ok := 1.0
		if at > 5*second && at < 8*second {
			ok = 0
		}
		lag := 0.0
		if ok == 0 || at == 8*second {
			lag = 300
		}
		t.add(at+3, history.Event{Kind: history.Sample, Name: "lag", Group: "workers", Value: lag})
		t.add(at+2, history.Event{Kind: history.Probe, Name: "checkout", Value: ok, Intended: 3 * ms * (at / second)})
	}
	t.phase(14*second, "drain")
}

const killScenario = `
scenario: kill
title: The leader dies
hypothesis: Nothing is lost.
target: { cluster: { embedded: nats, nodes: 3 } }
workload: { producers: 1, consumers: 1, rate: 100/s, size: 512B }
contract: { delivery: at-least-once }
probes: { checkout: { http: "http://127.0.0.1:1/", every: 1s } }
phases:
  - baseline: 5s
  - inject: { kill: leader }
  - observe: 5s
  - recover: all
  - observe: 3s
criteria:
%s
guards: [ "error_rate < 90%% for 20s" ]
%s
`

func parse(t testing.TB, criteria, rest string) *scenario.Scenario {
	t.Helper()
	if criteria == "" {
		criteria = "  - failover < 12s"
	}
	s, err := scenario.Parse("kill.yaml", fmt.Appendf(nil, killScenario, criteria, rest), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func info() result.RunInfo {
	return result.RunInfo{
		Name: "kill-1", Scenario: "kill", Seed: 42, Started: time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC),
		Roles:       map[string]string{"executor": "Ada"},
		Environment: result.Environment{Havoq: "0.1.0", Go: "go1.26", OS: "linux", Arch: "amd64", CPUs: 2, Target: "3 × nats-server"},
		Again:       "havoq run kill --seed 42",
	}
}

func judge(t testing.TB, tape *tape, s *scenario.Scenario) *result.Result {
	t.Helper()
	return judgeEvents(t, tape.read(), s)
}

func judgeEvents(t testing.TB, events func() iter.Seq[history.Event], s *scenario.Scenario) *result.Result {
	t.Helper()
	r, err := result.Judge(result.Input{Scenario: s, Run: info(), Events: events})
	if err != nil {
		t.Fatal(err)
	}
	checkHalves(t, r)
	return r
}
