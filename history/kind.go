package history

import (
	"fmt"

	"github.com/havoqlab/havoq/queue"
)

const lastKind = Source

// kindWords returns the words of all kinds, by number. They are part of the JSON form: never change one.
func kindWords() [lastKind + 1]string {
	return [...]string{
		Invoke: "invoke", Outcome: "outcome", Deliver: "deliver", Processed: "processed", Settle: "settle",
		DeadLetter: "dead-letter", NotSent: "not-sent", FaultBegin: "fault-begin", FaultSeen: "fault-seen",
		HealBegin: "heal-begin", HealSeen: "heal-seen", Hit: "hit", Phase: "phase", Node: "node", Probe: "probe",
		Sample: "sample", Note: "note", Drain: "drain", End: "end", Abort: "abort", Reserve: "reserve", Gap: "gap", Source: "source",
	}
}

// known reports whether this version of havoq has a meaning for k.
func (k Kind) known() bool { return k >= Invoke && k <= lastKind }

// String returns the kind's word, as in the JSON form: "invoke", "fault-begin".
func (k Kind) String() string {
	if !k.known() {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindWords()[k]
}

// parseKind is the inverse of String.
func parseKind(word string) (Kind, error) {
	for k, w := range kindWords() {
		if w == word && w != "" {
			return Kind(k), nil
		}
	}
	return 0, fmt.Errorf("unknown kind of event %q", word)
}

// String returns the damage's word, as in the JSON form.
func (d Damage) String() string {
	switch d {
	case Sound:
		return "sound"
	case CorruptPayload:
		return "corrupt-payload"
	case CorruptEnvelope:
		return "corrupt-envelope"
	case Foreign:
		return "foreign"
	default:
		return fmt.Sprintf("damage(%d)", uint8(d))
	}
}

func parseDamage(word string) (Damage, error) {
	for d := Sound; d <= Foreign; d++ {
		if d.String() == word {
			return d, nil
		}
	}
	return 0, fmt.Errorf("unknown damage %q", word)
}

func parseOutcome(word string) (queue.Outcome, error) {
	for o := queue.Unknown; o <= queue.Failed; o++ {
		if o.String() == word {
			return o, nil
		}
	}
	return 0, fmt.Errorf("unknown outcome %q", word)
}
