// Package result is the result of a run: the schema of result.json, and Judge, which makes it from a scenario and a history.
package result

import "github.com/havoqlab/havoq/oracle"

// Schema is the version of result.json.
const Schema = "havoq.result/1"

// Aborted is the verdict of a run that a guard or a person ended; the other verdicts are oracle's.
const Aborted oracle.Verdict = "aborted"

// Result is result.json.
type Result struct {
	Schema     string                    `json:"schema"`
	Scenario   string                    `json:"scenario"`
	Title      string                    `json:"title"`
	Hypothesis string                    `json:"hypothesis"`
	Workload   string                    `json:"workload"` // in words
	Contract   string                    `json:"contract"` // in words
	Run        string                    `json:"run"`      // the run folder's name
	Seed       uint64                    `json:"seed"`
	Started    string                    `json:"started"` // RFC 3339
	Seconds    float64                   `json:"seconds"`
	Verdict    oracle.Verdict            `json:"verdict"`
	Safety     Judgement                 `json:"safety"`             // the verdict on what befell the messages
	Liveness   Judgement                 `json:"liveness"`           // and on everything else: progress, times, bounds
	Expected   *bool                     `json:"expected,omitempty"` // where the scenario says what it expects
	Expect     string                    `json:"expect,omitempty"`   // that, in words: "verdict fail, lost > 0"
	Reasons    []string                  `json:"reasons"`
	Criteria   []oracle.Check            `json:"criteria"` // the contract's, then the scenario's
	Guards     []oracle.Check            `json:"guards"`
	Faults     []Fault                   `json:"faults"`
	Counts     oracle.Counts             `json:"counts"`
	Anomalies  map[string]oracle.Anomaly `json:"anomalies"`
	Outages    []oracle.Outage           `json:"outages"`
	Clients    []oracle.Outage           `json:"client_outages,omitempty"` // of single producers, at most 1000
	Positions  []oracle.Position         `json:"positions,omitempty"`      // what the broker's own positions tell
	// Drained: every group was proven empty. Complete: the history reaches the run's own end, or its abort.
	Drained  bool    `json:"drained"`
	Complete bool    `json:"complete"`
	Drains   []Drain `json:"drains"`
	// Sources are what the history was made of, where the load was the user's own application.
	Sources []Source `json:"sources,omitempty"`
	Abort   *Abort   `json:"abort,omitempty"`
	// Exposed is how many sends (calls, retries included) were under way while a fault was in force.
	Exposed int64 `json:"sends_during_faults"`
	// ExposedAcked is how many acked messages had a send, of theirs and perhaps not the first, under way while a fault was in force.
	ExposedAcked int64 `json:"acked_during_faults"`
	// Claims say what the counts of anomalies are worth, by fault and then by message.
	Claims    []oracle.Claim      `json:"claims"`
	Groups    int                 `json:"groups"` // consumer groups seen
	Downtime  Downtime            `json:"downtime"`
	Recovery  []oracle.Recovery   `json:"recovery"`
	Latency   map[string]Latency  `json:"latency"` // "ack" and "e2e", whole run; "e2e@baseline" by phase
	Resources map[string]Resource `json:"resources"`
	// MemoryMax is the most that all processes had resident together, in bytes; 0: not measured.
	MemoryMax int64            `json:"memory_max_bytes"`
	Probes    map[string]Probe `json:"probes,omitempty"`
	Witnesses []oracle.Witness `json:"witnesses"`
	SelfTest  oracle.SelfTest  `json:"self_test"`
	Phases    []Phase          `json:"phases"`
	Timeline  Timeline         `json:"timeline"`
	Log       []LogLine        `json:"log"`
	Unproven  []string         `json:"unproven"` // what this run does not prove
	// Roles are who played which part, as given.
	Roles       map[string]string `json:"roles,omitempty"`
	Environment Environment       `json:"environment"`
	Again       string            `json:"again"` // the command that repeats it
}

// Fault is a fault that was injected, with its proof.
type Fault struct {
	oracle.FaultWindow
	Layer string `json:"layer"` // cluster, workload, application, code, wire
	// Exposed is how many sends (calls, retries included) were under way while it was in force.
	Exposed int64 `json:"sends"`
}

// Downtime is the time without a single success, in seconds, all outages added up.
type Downtime struct {
	Produce float64 `json:"produce"`
	Consume float64 `json:"consume"`
}

// Latency is in seconds, counted from the intended send time, so that a stall counts for everything that waited behind it.
type Latency struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// Resource is what one process used.
type Resource struct {
	RSSMax  int64 `json:"rss_max_bytes"`
	RSSLast int64 `json:"rss_last_bytes"`
	Samples int   `json:"samples"`
}

// Probe is how the system under test answered one probe.
type Probe struct {
	OK         int64   `json:"ok"`
	Failed     int64   `json:"failed"`
	LatencyMax float64 `json:"latency_max_seconds"` // of those answered; 0 if none was timed
}

// Drain is how emptying one group ended.
type Drain struct {
	Group  string  `json:"group"`
	Proven bool    `json:"proven"`       // the broker and the consumers agree that nothing is left
	Left   float64 `json:"left"`         // messages left; negative: not known
	Took   float64 `json:"took_seconds"` // from the last send or answer to one
	Detail string  `json:"detail,omitempty"`
}

// Abort is why a run was ended early.
type Abort struct {
	At  int64  `json:"at_ns"`
	By  string `json:"by"` // guard, person, error
	Why string `json:"why"`
}

// Phase is one phase as it happened, with its figures.
type Phase struct {
	Name string `json:"name"`
	oracle.Window
	Sent      int64 `json:"sent"`
	Acked     int64 `json:"acked"`
	Errors    int64 `json:"errors"`
	Processed int64 `json:"processed"`
	// P50 and P99 are end to end, in seconds, of what was delivered in this phase; null if nothing was.
	P50    *float64 `json:"p50" jsonschema:"oneof_type=number;null"`
	P99    *float64 `json:"p99" jsonschema:"oneof_type=number;null"`
	LagMax float64  `json:"lag_max"` // messages acked and not processed, at the worst moment
}

// MaxBuckets bounds the length of a timeline's series.
const MaxBuckets = 300

// Timeline has one entry a bucket in every series, from the start of the run. A null is no data. What happened to a message
// counts in the bucket in which it happened: a latency in that of the delivery.
type Timeline struct {
	Bucket    float64                `json:"bucket_seconds"`
	Sent      []float64              `json:"sent"` // messages a second
	Acked     []float64              `json:"acked"`
	Errors    []float64              `json:"errors"` // failed and unknown attempts a second
	Processed []float64              `json:"processed"`
	P50       []*float64             `json:"p50"` // end to end, seconds
	P99       []*float64             `json:"p99"`
	Lag       []*float64             `json:"lag"` // acked and not processed, at the bucket's end
	Nodes     map[string][]NodeState `json:"nodes"`
	Probes    map[string][]*float64  `json:"probes,omitempty"` // share of probes that answered well
}

// NodeState is a stretch of one node's life.
type NodeState struct {
	oracle.Window
	State string `json:"state"` // starting, up, leader, paused, down
}

// LogLine is one line of the runbook log.
type LogLine struct {
	At   int64  `json:"at_ns"`
	Who  string `json:"who"`
	Text string `json:"text"`
}

// Environment is where it ran.
type Environment struct {
	Havoq  string            `json:"havoq"`
	Go     string            `json:"go"`
	OS     string            `json:"os"`
	Arch   string            `json:"arch"`
	CPUs   int               `json:"cpus"`
	Target string            `json:"target"` // "3 × nats-server 2.15.2, R3, synced writes"
	Set    map[string]string `json:"set,omitempty"`
}
