// Package history is the event stream that every run writes and every judge reads: what was sent and what came of it, what
// was delivered, processed and settled, and what was done to the system meanwhile. Judges, reports and pictures read
// nothing else.
package history

import (
	"github.com/havoqlab/havoq/queue"
)

// Kind says what an event tells.
type Kind uint8

// The numbers are part of the file format: never reuse one. A Name that is the topic stands only where that is not the stream of
// the message's own identity.
const (
	Invoke     Kind = 1  // a message was handed to Produce: Identity, Back, Attempt, Intended, Client, Name (topic); Outcome OK: it was found in the queue, sent and confirmed at once
	Outcome    Kind = 2  // Produce's result for it: Identity, Attempt, Outcome, Partition, Offset, Duplicate, Client, Name (topic), Detail (error)
	Deliver    Kind = 3  // Receive returned it: Identity, Back, Group, Client, Attempt, Partition, Offset, Claim, Intended, Damage, Name (topic), Detail (ID, if damaged)
	Processed  Kind = 4  // the application did the work: Identity, Damage, Group, Client, Name (topic)
	Settle     Kind = 5  // Settle's result for it: Identity, Damage, Group, Client, Claim, Ack, Outcome, Name (topic), Detail (error)
	DeadLetter Kind = 6  // it was moved to a dead-letter topic: Identity, Group
	NotSent    Kind = 7  // the schedule meant to send Value messages and could not: Client, Detail (why)
	FaultBegin Kind = 8  // the act begins: Name (fault), Node, Detail (what)
	FaultSeen  Kind = 9  // it is seen in force: Name, Node, Value (hits), Detail (evidence)
	HealBegin  Kind = 10 // taking it back begins: Name, Node
	HealSeen   Kind = 11 // it is seen gone: Name, Node, Detail (evidence)
	Hit        Kind = 12 // a fault struck one message: Name, Identity, Group
	Phase      Kind = 13 // a phase begins: Name; the end of the last one has Name ""
	Node       Kind = 14 // a node's state changed: Node, Detail (up, down, paused, starting, leader)
	Probe      Kind = 15 // a probe was asked: Name, Value (1 ok, 0 failed, latency in Detail), Outcome
	Sample     Kind = 16 // a measured value: Name (metric), Group or Node, Value
	Note       Kind = 17 // a line of the runbook log: Name (who), Detail
	Drain      Kind = 18 // the drain ended: Group, Outcome (OK: proven empty), Value (messages left), Detail
	End        Kind = 19 // the run came to its own end: written last
	Abort      Kind = 20 // the run was ended early: Name (guard, person, error), Detail (why)
	Reserve    Kind = 21 // a track is about to use Value sequence numbers: Identity (the first), Client, Name (topic)
	Gap        Kind = 22 // the recorder could not keep track: Name (GapKeys, GapRetries or GapIdentities), Value (how many), Client, Detail
	Source     Kind = 23 // where the events of Group come from ("": those of the sends), told before them: Name ("topic invoices"), Detail (see Blind)
)

// Blind separates, in the Detail of a Source, the names of the anomalies that this source cannot see: "corrupted, late". Whoever
// records a client of the queue sees them all, and needs no Source event; who only looks at a topic or a table does not.
const Blind = ", "

// The names of a Gap.
const (
	GapKeys    = "keys"    // Value keys were forgotten: the Back of the next message of each is 0, as if it were the first
	GapRetries = "retries" // Value messages were forgotten that may be sent again: each then counts as a new one
	// GapIdentities: Value messages or deliveries could not be told apart, and are not in the history.
	GapIdentities = "identities"
	GapSource     = "source" // of Value messages the source of Group ("": of the sends) could not tell which they are: Detail says how many, which and the remedy
)

// Damage is what was wrong with a delivered message.
type Damage uint8

// The numbers are part of the file format.
const (
	Sound           Damage = 0
	CorruptPayload  Damage = 1 // Identity is sound
	CorruptEnvelope Damage = 2 // Identity is not known, and zero
	Foreign         Damage = 3 // no envelope (Identity is zero), or another run's (Identity is that)
)

// Event is one entry of a history. Which fields count depends on Kind; the others are zero. Times are nanoseconds since the
// start of the run, on its monotonic clock.
type Event struct {
	Kind      Kind
	Outcome   queue.Outcome
	Damage    Damage
	Ack       bool // Settle: ack, else nack
	Duplicate bool // Outcome: the broker already held it
	Identity  queue.Identity
	Back      uint32
	Attempt   int32
	Partition int32
	At        int64 // when it happened; 0: the recorder fills it in
	Intended  int64 // when the message was meant to be sent
	Offset    int64
	Claim     int64
	Value     float64
	Client    string // the producer or consumer, "producer-1"
	Group     string
	Name      string
	Node      string
	Detail    string
}

// Recorder takes events, in the order in which they happened, from any goroutine. Record must not block for long. Errors are
// kept and reported when the recorder is closed, because a history with a hole must not be judged as if it were whole.
type Recorder interface {
	Record(Event)
}
