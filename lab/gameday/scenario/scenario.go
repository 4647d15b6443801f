// Package scenario is the scenario file: its types, strict reading, JSON Schema, validation and runbook.
//
// # Tags
//
// The types below are the format. One set of struct tags says what both the reader and the JSON Schema need: yaml is the key,
// doc its description, default what counts when it is missing, min and max its bounds, enum its words, example how it looks,
// and required, with the remedy for when it is missing.
package scenario

import (
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// Scenario is one Game Day, as read from its file.
type Scenario struct {
	Name          string            `yaml:"scenario" doc:"Name of the scenario, as its file's: small letters, digits, dashes." required:"scenario: my-first-game-day" example:"primary-broker-failure"`
	Title         string            `yaml:"title" doc:"One line for people."`
	Hypothesis    string            `yaml:"hypothesis" doc:"What you believe will happen. The run proves or disproves it."`
	Roles         map[string]string `yaml:"roles" doc:"Who plays which part; an empty name is filled by --role or asked for."`
	Prerequisites []Prerequisite    `yaml:"prerequisites" doc:"What must hold before the run begins."`
	Target        Target            `yaml:"target" doc:"The system under test." required:"target: { cluster: { embedded: nats, nodes: 3 } }"`
	Workload      Workload          `yaml:"workload" doc:"The load that havoq makes; or external, your own application."`
	Observe       *Observe          `yaml:"observe" doc:"How havoq sees what your own application was given and what it did."`
	Contract      Contract          `yaml:"contract" doc:"The delivery promise. What it names is judged in every run, beside the criteria."`
	Faults        []Fault           `yaml:"faults" doc:"Named faults, for phases to inject and recover by name."`
	Probes        map[string]Probe  `yaml:"probes" doc:"Questions to the system under test, asked all along; for criteria and guards."`
	Phases        []Phase           `yaml:"phases" doc:"What happens, in order: one verb a step." required:"phases: [ { baseline: 5s }, { inject: { kill: leader } }, { observe: 20s }, { recover: all } ]"`
	Criteria      []string          `yaml:"criteria" doc:"What must hold at the end, beyond the contract." example:"failover < 12s"`
	Guards        []string          `yaml:"guards" doc:"What must hold all along, else the run is aborted and everything recovered." example:"error_rate < 90% for 20s"`
	Expect        *Expect           `yaml:"expect" doc:"For a scenario that shows a flaw: exactly this outcome makes the run exit with 0."`
	Repeat        int               `yaml:"repeat" doc:"How many times to run." default:"1" min:"1" max:"1000"`
	Timing        string            `yaml:"timing" doc:"Which of the named timings counts." default:"quick"`
	Seed          uint64            `yaml:"seed" doc:"Seed of every draw. 0: drawn at the start and recorded."`

	// Filled by Parse.
	File           string               `yaml:"-"`
	Source         []byte               `yaml:"-"` // the text, kept in the run folder
	Set            map[string]string    `yaml:"-"` // what Options.Set changed
	Timings        []string             `yaml:"-"` // names of the timings that the file defines
	ParsedCriteria []criteria.Criterion `yaml:"-"` // one for each of Criteria
	ParsedGuards   []criteria.Criterion `yaml:"-"` // one for each of Guards
	ParsedChecks   []criteria.Criterion `yaml:"-"` // one for each of Prerequisites; the zero value where it is a confirmation
}

// Fault returns the named fault of the list.
func (s *Scenario) Fault(name string) (Fault, bool) {
	for _, f := range s.Faults {
		if f.Name == name {
			return f, true
		}
	}
	return Fault{}, false
}

// Prerequisite is checked by havoq (Check: "cluster.nodes >= 3") or confirmed by a person (Confirm).
type Prerequisite struct {
	Check   string `yaml:"check" doc:"A comparison that havoq makes itself." example:"cluster.nodes >= 3"`
	Confirm string `yaml:"confirm" doc:"A statement that a person confirms." example:"monitoring dashboard open"`
	Timing  string `yaml:"timing" doc:"Needed only with this timing; missing: always." example:"full"`
}

// Applies reports whether the prerequisite is needed with this timing.
func (p Prerequisite) Applies(timing string) bool { return p.Timing == "" || p.Timing == timing }

// Target is the system under test: exactly one field is set.
type Target struct {
	Cluster *Cluster `yaml:"cluster" doc:"A cluster that havoq starts itself, and may break."`
	URL     string   `yaml:"url" doc:"A broker that is there already; only faults of the workload can be injected." example:"nats://127.0.0.1:4222"`
}

// Cluster is a cluster that havoq starts itself.
type Cluster struct {
	Embedded string `yaml:"embedded" doc:"The engine. Each node is an own process of this binary." enum:"nats" default:"nats"`
	Nodes    int    `yaml:"nodes" doc:"How many nodes: n1, n2, …" default:"3" min:"2" max:"5"`
	Replicas int    `yaml:"replicas" doc:"Copies of each message; default: as many as nodes, at most 3." min:"1" max:"5"`
	Port     int    `yaml:"port" doc:"First client port; missing: free ports." min:"1" max:"65000"`
}

// Workload is havoq's own load; or, with External, the user's own application, and then nothing else is set.
type Workload struct {
	External  []App    `yaml:"external" doc:"Your own application: programs that havoq starts and stops. The word external alone: it runs by itself."` // nil: havoq's own load
	Producers int      `yaml:"producers" doc:"How many producers." default:"2" min:"1" max:"1000"`
	Consumers int      `yaml:"consumers" doc:"How many consumers share the work." default:"2" min:"1" max:"1000"`
	Rate      Rate     `yaml:"rate" doc:"Messages per second, of all producers together." default:"1000/s"`
	Size      Size     `yaml:"size" doc:"Size of a body." default:"512B"`
	Keys      int      `yaml:"keys" doc:"How many keys, of all producers together. 0: no keys." min:"0" max:"1000000"`
	Work      Duration `yaml:"work" doc:"How long processing one message takes a consumer." max:"1h"`
	Ack       string   `yaml:"ack" doc:"Whether a consumer acks after the work, or (a bug) before it." enum:"after,early" default:"after"`
	Retry     Duration `yaml:"retry" doc:"How long a producer retries one message." default:"30s" min:"1ms" max:"1h"`
	Limit     int64    `yaml:"limit" doc:"Most messages the stream holds; beyond it sends are refused. 0: unbounded." min:"0"`
	Backlog   int      `yaml:"backlog" doc:"Most messages a producer keeps waiting; what is due beyond is counted as not sent. Missing: 10 seconds' worth." min:"1" max:"10000000"`
}

// Contract is the delivery promise.
type Contract struct {
	Delivery string   `yaml:"delivery" doc:"What is promised of each acked message." enum:"at-most-once,at-least-once,exactly-once"`
	Order    string   `yaml:"order" doc:"Among which messages the send order is kept." enum:"key,partition,producer"`
	MaxDelay Duration `yaml:"max-delay" doc:"From the intended send time to the first delivery, at most." min:"1ms" max:"24h"`
	Allow    []string `yaml:"allow" doc:"Anomalies that every other contract forbids and this one does not: they are reported, and not failed." enum:"corrupted,unexpected,failed_but_delivered"`
	Forgive  []string `yaml:"forgive" doc:"Attributions that do not break the contract." enum:"caused"`
}

// Act is one thing done to the target: exactly one verb is set.
type Act struct {
	Kill    string   `yaml:"kill" doc:"kill -9 of a node: n1, leader, follower, all." example:"leader"`
	Pause   string   `yaml:"pause" doc:"SIGSTOP of a node: it is there, and answers nothing." example:"leader"`
	Stop    string   `yaml:"stop" doc:"Graceful stop of a node." example:"n1"`
	Restart string   `yaml:"restart" doc:"Graceful stop and start of a node, or of one of your own programs; each: one node after the other." example:"each"`
	Wipe    string   `yaml:"wipe" doc:"kill -9 of a node, and its disk is lost." example:"leader"`
	Crash   string   `yaml:"crash" doc:"Consumers die with what they have in hand, until they are started again: consumers, consumer-1, or (kill -9) one of your own programs." example:"consumers"`
	For     Duration `yaml:"for" doc:"Lease: taken back after this. Missing: in force until recover." min:"1ms" max:"24h"`
}

// Fault is a named act.
type Fault struct {
	Name string `yaml:"name" doc:"Its name, for inject and recover." required:"name: first-node" example:"first-node"`
	Do   Act    `yaml:"do" doc:"The act." required:"do: { kill: leader }"`
}

// Probe asks the system under test: exactly one of HTTP and Command is set.
type Probe struct {
	HTTP    string   `yaml:"http" doc:"GET this URL." example:"http://127.0.0.1:8080/healthz"`
	Status  int      `yaml:"status" doc:"The status that is a good answer; of http only, default 200." min:"100" max:"599"`
	Command string   `yaml:"command" doc:"Run this program with its arguments; exit code 0 is a good answer. No shell: write sh -c '…' where you need one." example:"pg_isready -h 127.0.0.1"`
	Every   Duration `yaml:"every" doc:"How often to ask." default:"1s" min:"10ms" max:"1h"`
	Timeout Duration `yaml:"timeout" doc:"No answer for so long is a failure; default: as every." min:"1ms" max:"1h"`
}

// Phase is one step: exactly one of its verbs is set.
type Phase struct {
	Baseline *Span    `yaml:"baseline" doc:"Measure the normal state for so long."`
	Inject   *Inject  `yaml:"inject" doc:"Break something: an act, or the names of faults."`
	Observe  *Span    `yaml:"observe" doc:"Watch for so long, or until the recovery is decided."`
	Recover  *Recover `yaml:"recover" doc:"Take faults back: all, their names, or start one node."`
	Load     *Load    `yaml:"load" doc:"Change the rate for a time."`
}

// Name is the phase's one verb: baseline, inject, observe, recover or load.
func (p Phase) Name() string {
	switch {
	case p.Baseline != nil:
		return "baseline"
	case p.Inject != nil:
		return "inject"
	case p.Observe != nil:
		return "observe"
	case p.Recover != nil:
		return "recover"
	case p.Load != nil:
		return "load"
	}
	return ""
}

// Length is how long the phase takes, at most. 0: as long as its act takes.
func (p Phase) Length() time.Duration {
	switch {
	case p.Baseline != nil:
		return p.Baseline.For
	case p.Observe != nil:
		return p.Observe.For
	case p.Load != nil:
		return p.Load.For
	}
	return 0
}

// Span is a stretch of time: "5s", or { until: decided, max: 35s }, or named timings { quick: 5s, full: 5m }.
type Span struct {
	For   time.Duration // how long; with Until: at most
	Until string        // "" or "decided"
}

// Inject is an inline act, or the names of faults.
type Inject struct {
	Names []string
	Act   Act
}

// Recover takes back faults: all of them (Names and Start empty), or the named ones; or starts one node, on a wiped disk if
// asked.
type Recover struct {
	Names []string
	Start string
	Wipe  bool
}

// Load changes the rate: "10x" or "5000/s", for a time; then it goes back.
type Load struct {
	Factor float64 // of the workload's rate; 0: Rate counts
	Rate   Rate
	For    time.Duration
}

// Expect declares what a scenario that shows a flaw comes to.
type Expect struct {
	Verdict string            // pass, fail, unknown, aborted
	Bounds  map[string]string // "lost": "> 0"
}
