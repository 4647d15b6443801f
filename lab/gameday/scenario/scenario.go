// Package scenario is the scenario file: its types, strict reading, JSON Schema, validation and runbook.
package scenario

import (
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// Scenario is one Game Day, as read from its file.
type Scenario struct {
	Name          string            `yaml:"scenario"`
	Title         string            `yaml:"title"`
	Hypothesis    string            `yaml:"hypothesis"`
	Roles         map[string]string `yaml:"roles"`
	Prerequisites []Prerequisite    `yaml:"prerequisites"`
	Target        Target            `yaml:"target"`
	Workload      Workload          `yaml:"workload"`
	Contract      Contract          `yaml:"contract"`
	Faults        []Fault           `yaml:"faults"`
	Probes        map[string]Probe  `yaml:"probes"`
	Phases        []Phase           `yaml:"phases"`
	Criteria      []string          `yaml:"criteria"`
	Guards        []string          `yaml:"guards"`
	Expect        *Expect           `yaml:"expect"`
	Repeat        int               `yaml:"repeat"` // 0 means 1
	Timing        string            `yaml:"timing"` // which of the named timings counts; default "quick"
	Seed          uint64            `yaml:"seed"`   // 0: drawn at the start and recorded

	// Filled by Parse.
	File           string               `yaml:"-"`
	Source         []byte               `yaml:"-"` // the text, kept in the run folder
	ParsedCriteria []criteria.Criterion `yaml:"-"`
	ParsedGuards   []criteria.Criterion `yaml:"-"`
}

// Prerequisite is checked by havoq (Check: "cluster.nodes >= 3") or confirmed by a person (Confirm).
type Prerequisite struct {
	Check   string `yaml:"check"`
	Confirm string `yaml:"confirm"`
}

// Target is the system under test: exactly one field is set.
type Target struct {
	Cluster *Cluster `yaml:"cluster"`
	URL     string   `yaml:"url"`
}

// Cluster is a cluster that havoq starts itself.
type Cluster struct {
	Embedded string `yaml:"embedded"` // "nats"
	Nodes    int    `yaml:"nodes"`    // default 3
	Replicas int    `yaml:"replicas"` // of the stream; default: as many as nodes, at most 3
	Port     int    `yaml:"port"`     // first client port; 0: free ports
}

// Workload is havoq's own load.
type Workload struct {
	Producers int      `yaml:"producers"` // default 2
	Consumers int      `yaml:"consumers"` // default 2
	Rate      Rate     `yaml:"rate"`      // of all producers together
	Size      Size     `yaml:"size"`      // of a body
	Keys      int      `yaml:"keys"`      // of all producers together; 0: no keys
	Work      Duration `yaml:"work"`      // how long processing one message takes a consumer
	Ack       string   `yaml:"ack"`       // "after" the work (default) or "early"
	Retry     Duration `yaml:"retry"`     // how long a producer retries one message; default 30s
	Limit     int64    `yaml:"limit"`     // most messages the stream holds; 0: unbounded
	Backlog   int      `yaml:"backlog"`   // most messages a producer keeps waiting; default 10 s worth
}

// Contract is the delivery promise.
type Contract struct {
	Delivery string   `yaml:"delivery"` // at-most-once, at-least-once, exactly-once
	Order    string   `yaml:"order"`    // "", key, producer
	MaxDelay Duration `yaml:"max-delay"`
	Forgive  []string `yaml:"forgive"`
}

// Act is one thing done to the target: exactly one verb is set.
type Act struct {
	Kill    string   `yaml:"kill"`    // a node ("n1", "leader", "follower", "all"): SIGKILL
	Pause   string   `yaml:"pause"`   // SIGSTOP
	Stop    string   `yaml:"stop"`    // graceful
	Restart string   `yaml:"restart"` // graceful stop and start; "each": one node after the other
	Wipe    string   `yaml:"wipe"`    // kill, and lose the disk
	Crash   string   `yaml:"crash"`   // consumers: "consumers" or "consumer-1"; what is in hand is dropped, they start again
	For     Duration `yaml:"for"`     // lease: taken back after this; 0: until recover
}

// Fault is a named act.
type Fault struct {
	Name string `yaml:"name"`
	Do   Act    `yaml:"do"`
}

// Probe asks the system under test: exactly one of HTTP and Command is set.
type Probe struct {
	HTTP    string   `yaml:"http"`
	Status  int      `yaml:"status"` // default 200
	Command string   `yaml:"command"`
	Every   Duration `yaml:"every"`   // default 1s
	Timeout Duration `yaml:"timeout"` // default: Every
}

// Phase is one step: exactly one of its verbs is set.
type Phase struct {
	Baseline *Span    `yaml:"baseline"`
	Inject   *Inject  `yaml:"inject"`
	Observe  *Span    `yaml:"observe"`
	Recover  *Recover `yaml:"recover"`
	Load     *Load    `yaml:"load"`
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

// Recover takes back faults: all of them (Names empty), or the named ones; or starts one node, on a wiped disk if asked.
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
