package oracle

import "github.com/havoqlab/havoq/queue"

// Verdict is a judgement. The zero value is Unknown: nothing passes by default.
type Verdict string

// The verdicts.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Unknown Verdict = "unknown"
)

// Names of the anomalies, as in Result.Anomalies and in result.json.
const (
	Lost               = "lost"                 // acked, never processed, drained
	Duplicated         = "duplicated"           // delivered again after a confirmed ack in the same claim, or processed twice, apart
	Redelivered        = "redelivered"          // delivered again before a confirmed ack: allowed by at-least-once
	Reordered          = "reordered"            // overtaken where order was promised by the sender's own waiting
	Corrupted          = "corrupted"            // payload or envelope damaged
	Unexpected         = "unexpected"           // this run's envelope, never sent; or a foreign message
	FailedButDelivered = "failed_but_delivered" // the broker proved that it did not take it, and it was delivered or processed
	Late               = "late"                 // delivered after the contract's MaxDelay
)

// Names lists all anomalies in the order of reports.
func Names() []string {
	return []string{Lost, Duplicated, Redelivered, Reordered, Corrupted, Unexpected, FailedButDelivered, Late}
}

// Counts is the account of every message. Offered = Acked + Failed + InDoubt; and for each group
// Acked = processed + dead-lettered + queued + lost + unaccounted, of the messages whose send was confirmed.
type Counts struct {
	Offered      int64 `json:"offered"`       // messages handed to the queue at least once
	Acked        int64 `json:"acked"`         // confirmed by the broker
	Failed       int64 `json:"failed"`        // proven not taken, at every attempt
	InDoubt      int64 `json:"in_doubt"`      // neither
	NotSent      int64 `json:"not_sent"`      // the schedule could not even offer them
	Delivered    int64 `json:"delivered"`     // distinct messages that reached a consumer (all groups together)
	Processed    int64 `json:"processed"`     // acked messages whose work was done (all groups together)
	DeadLettered int64 `json:"dead_lettered"` // acked messages in a dead-letter topic
	Queued       int64 `json:"queued"`        // acked messages that the broker still holds
	Lost         int64 `json:"lost"`          // acked messages that are nowhere
	// DoubtProcessed are messages in doubt that were processed: they arrived after all. No anomaly.
	DoubtProcessed int64 `json:"in_doubt_processed"`
	Attempts       int64 `json:"attempts"`   // calls of Produce, retries included
	Deliveries     int64 `json:"deliveries"` // deliveries, redeliveries included
	// Unaccounted are acked messages of which the history cannot tell: not processed, and the drain is not proven.
	Unaccounted int64 `json:"unaccounted"`
	// ProcessedTwice are repeated processings, whatever the contract says about them.
	ProcessedTwice int64 `json:"processed_twice"`
	// LostPrefix, LostMiddle and LostTail split Lost: nothing earlier of its track was delivered to the group, something
	// earlier and something later was, nothing later was.
	LostPrefix int64 `json:"lost_prefix"`
	LostMiddle int64 `json:"lost_middle"`
	LostTail   int64 `json:"lost_tail"`
	// OrderedPairs are the pairs of messages whose order was promised, and judged.
	OrderedPairs int64 `json:"ordered_pairs"`
}

// Anomaly counts one kind of anomaly by attribution; Total is their sum.
type Anomaly struct {
	Total       int64 `json:"total"`
	Caused      int64 `json:"caused"`
	During      int64 `json:"during"`
	Unexplained int64 `json:"unexplained"`
}

// Step is one event in the life of a witness message.
type Step struct {
	At     int64  `json:"at_ns"`
	What   string `json:"what"`   // "sent", "acked", "delivered", "processed", "settled", …
	Detail string `json:"detail"` // attempt, consumer, error, …
}

// Witness is a message that shows an anomaly, with its whole life.
type Witness struct {
	Anomaly     string         `json:"anomaly"`
	Attribution string         `json:"attribution"` // caused, during, unexplained
	Fault       string         `json:"fault,omitempty"`
	Group       string         `json:"group,omitempty"`
	Message     queue.Identity `json:"message"`
	Life        []Step         `json:"life"`
}

// Window is a span of time in nanoseconds since the start of the run.
type Window struct {
	From int64 `json:"from_ns"`
	To   int64 `json:"to_ns"`
}

// Seconds is the length of the window.
func (w Window) Seconds() float64 { return float64(w.To-w.From) / 1e9 }

// Outage is a span without a single success: of all producers together, of one of them, or of one group's consumers together.
type Outage struct {
	Side     string `json:"side"` // produce or consume
	Group    string `json:"group,omitempty"`
	Client   string `json:"client,omitempty"`   // of this producer alone
	Producer uint32 `json:"producer,omitempty"` // its number in identities, with Client
	Window
}

// FaultWindow is one injected fault as the history tells it. Times are 0 where it never came that far.
type FaultWindow struct {
	Name  string `json:"name"`
	What  string `json:"what"` // "kill n2"
	Node  string `json:"node,omitempty"`
	Begin int64  `json:"begin_ns"`
	Seen  int64  `json:"seen_ns"`
	Heal  int64  `json:"heal_ns"`
	Gone  int64  `json:"gone_ns"`
	Hits  int64  `json:"hits"`
	// Anomalies are those attributed to this fault, caused or during, by their names. Nil: not known, or none; where the sum over
	// all faults is less than Result.Anomalies tells, it is not known.
	Anomalies map[string]int64 `json:"anomalies,omitempty"`
	// Exposed is how many sends were under way, from their call to their outcome, while the fault was in force. 0: none, or not
	// known.
	Exposed int64 `json:"exposed"`
}

// Recovery says how the system came back from one fault. A negative time: not known, or it never did.
type Recovery struct {
	Fault string `json:"fault"`
	// Failover runs from the act to the first confirmed send after the produce outage that the fault began; 0 if there was
	// no outage; negative, too, if nothing was being sent from the act to the next fault's, or to the end.
	Failover float64 `json:"failover_seconds"`
	// Consume is the same for deliveries, the longest of all groups that read something.
	Consume float64 `json:"consume_seconds"`
	// Lag runs from the act until the groups' lag was back to normal for good.
	Lag float64 `json:"lag_seconds"`
	// LagWatched is how long the lag was watched after the act, until the run's load changed or ended; 0: never.
	LagWatched float64 `json:"lag_watched_seconds"`
}

// Check is one promise of the contract and its judgement.
type Check struct {
	Expr    string  `json:"expr"` // "lost == 0"
	Verdict Verdict `json:"verdict"`
	Value   string  `json:"value"` // what was found, for people: "0", "12 (3 unexplained)"
	Reason  string  `json:"reason,omitempty"`
}

// SelfTest says how many planted anomalies the judge found in a copy of its own input.
type SelfTest struct {
	Planted int      `json:"planted"`
	Found   int      `json:"found"`
	Missed  []string `json:"missed,omitempty"`
	Skipped []string `json:"skipped,omitempty"` // not planted, and why: the run has no message for it
}

// Result is the judgement of a history.
type Result struct {
	Verdict   Verdict            `json:"verdict"`
	Reasons   []string           `json:"reasons"` // why it is not pass; empty for pass
	Counts    Counts             `json:"counts"`
	Anomalies map[string]Anomaly `json:"anomalies"`
	Checks    []Check            `json:"checks"`
	Faults    []FaultWindow      `json:"faults"`
	Outages   []Outage           `json:"outages"`
	Clients   []Outage           `json:"client_outages,omitempty"` // of single producers, at most 1000
	Positions []Position         `json:"positions,omitempty"`      // where the broker tells them
	Recovery  []Recovery         `json:"recovery"`
	Witnesses []Witness          `json:"witnesses"`
	Drained   bool               `json:"drained"` // every group was proven empty
	Complete  bool               `json:"complete"`
	Sources   []Source           `json:"sources,omitempty"` // where the history comes from, if not from a recorded client
	Aborted   string             `json:"aborted,omitempty"` // who ended the run early, and why: "guard: error_rate …"
}
