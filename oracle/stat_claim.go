package oracle

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// PerMessage is the Unit of a claim by message. It holds only given the very faults of the run, because losses come in bursts:
// one fault destroys many messages, so that messages are no independent trials. Claims by fault go first.
const PerMessage = "message"

// Claim says what a count is worth: how often an anomaly may come up although it came up so rarely, or never. It takes the trials
// as independent, and their number as fixed before the first: who goes on until the bound looks good is wrong more often than
// Confidence says.
type Claim struct {
	Anomaly string `json:"anomaly"`
	// Unit is what a trial is: the verb of a fault ("kill"), which counts if an anomaly was attributed to it, caused or during; or
	// PerMessage, an acked message whose send overlapped a fault.
	Unit       string  `json:"unit"`
	K          int64   `json:"k"` // trials that showed the anomaly
	N          int64   `json:"n"` // trials
	Confidence float64 `json:"confidence"`
	Lower      float64 `json:"lower"` // at that confidence the chance is above it
	Upper      float64 `json:"upper"` // and below this, each for itself
	// Text is the claim in a sentence; where there is none, it says so.
	Text string `json:"text"`
	// Outlook says how many more trials without the anomaly would allow a stronger claim; "" where there is none.
	Outlook string `json:"outlook,omitempty"`
	// Unknown says why nothing is claimed: K, N and the bounds mean nothing then. "": it is a claim.
	Unknown string `json:"unknown,omitempty"`
}

// NewClaim is the claim that k of n trials make.
func NewClaim(anomaly, unit string, k, n int64) Claim {
	c := Claim{
		Anomaly: anomaly, Unit: unit, K: k, N: n, Confidence: Confidence,
		Lower: LowerBound(k, n, Confidence), Upper: UpperBound(k, n, Confidence),
	}
	if !meaningful(k, n, Confidence) {
		return NoClaim(anomaly, unit, "there was no trial")
	}
	c.Text, c.Outlook = c.words(), c.outlook()
	return c
}

// NoClaim says why a run allows no claim.
func NoClaim(anomaly, unit, why string) Claim {
	return Claim{
		Anomaly: anomaly, Unit: unit, Confidence: Confidence, Upper: 1, Unknown: why,
		Text: fmt.Sprintf("nothing is claimed of how many %s %s: %s", unitWords(unit), anomalyWords(anomaly, unit).something, why),
	}
}

// words is the claim in a sentence.
func (c Claim) words() string {
	verb, units := anomalyWords(c.Anomaly, c.Unit), unitWords(c.Unit)
	if c.K == 0 {
		verb.something = verb.anything
	}
	of, at := "", " at "+chance(c.Confidence)
	if c.Unit != PerMessage {
		of = " of " + units
	}
	if c.K > 0 && c.K < c.N {
		at = ", each" + at
	}
	return fmt.Sprintf("%s of %s %s %s: %s", thousands(c.K), thousands(c.N), units, verb.something, c.Bound()+of+at)
}

// Bound is what is claimed of the chance: "< 1.2 %", "> 1.2 % and < 31.7 %". "" where nothing is claimed.
func (c Claim) Bound() string {
	upper, lower := "< "+chance(c.Upper), "> "+chance(c.Lower)
	switch {
	case c.Unknown != "":
		return ""
	case c.K == 0:
		return upper
	case c.K == c.N:
		return lower
	default:
		return lower + " and " + upper
	}
}

// outlook tells the trials that 10 % and 1 % take.
func (c Claim) outlook() string {
	if c.K > 0 || c.Unit == PerMessage {
		return ""
	}
	text := ""
	for _, p := range []float64{0.1, 0.01} {
		switch more := TrialsNeeded(p, c.Confidence) - c.N; {
		case more <= 0:
		case text == "":
			text = fmt.Sprintf("%s more clean ones for < %s", thousands(more), chance(p))
		default:
			text += fmt.Sprintf(", %s for < %s", thousands(more), chance(p))
		}
	}
	return text
}

// PoolClaims adds up the claims of several runs of the same scenario, in the order of the first of them. One run that claims
// nothing leaves the pool without a claim: what is not known is no clean trial, and no dirty one.
func PoolClaims(runs [][]Claim) []Claim {
	type key struct{ anomaly, unit string }
	pools := map[key]*pool{}
	var order []key
	for i, run := range runs {
		for _, c := range run {
			k := key{c.Anomaly, c.Unit}
			if pools[k] == nil {
				pools[k] = &pool{}
				order = append(order, k)
			}
			pools[k].add(i, c)
		}
	}
	list := make([]Claim, 0, len(order))
	for _, k := range order {
		p := pools[k]
		if p.runs < len(runs) && p.why == "" {
			p.why = fmt.Sprintf("only %d of %d runs tell of it", p.runs, len(runs))
		}
		if p.why != "" {
			list = append(list, NoClaim(k.anomaly, k.unit, p.why))
			continue
		}
		list = append(list, NewClaim(k.anomaly, k.unit, p.k, p.n))
	}
	return list
}

type pool struct {
	k, n int64
	runs int
	why  string
}

func (p *pool) add(run int, c Claim) {
	p.k, p.n, p.runs = p.k+c.K, p.n+c.N, p.runs+1
	if c.Unknown != "" && p.why == "" {
		p.why = fmt.Sprintf("run %d: %s", run+1, c.Unknown)
	}
}

// unitWords names trials: "kills", "application kills", "lose-reply faults".
func unitWords(unit string) string {
	switch unit[strings.LastIndexByte(unit, ' ')+1:] {
	case PerMessage:
		return "acked messages whose send overlapped a fault"
	case "kill", "pause", "stop", "restart", "wipe", "partition", "stepdown", "delay", "throttle", "disconnect":
		return unit + "s"
	case "crash":
		return unit + "es"
	case "":
		return "faults"
	default:
		return unit + " faults"
	}
}

// effect is what a trial did, said of one that did and of none that did.
type effect struct{ something, anything string }

func anomalyWords(anomaly, unit string) effect {
	plain := strings.ReplaceAll(anomaly, "_", " ")
	if unit == PerMessage {
		return effect{"were " + plain, "were " + plain}
	}
	switch anomaly {
	case Lost, Duplicated, Redelivered, Reordered, Corrupted:
		return effect{plain + " something", plain + " anything"}
	case Unexpected:
		return effect{"led to something unexpected", "led to anything unexpected"}
	case FailedButDelivered:
		return effect{"had something delivered that had failed", "had anything delivered that had failed"}
	case Late:
		return effect{"made something late", "made anything late"}
	default:
		return effect{"showed " + plain, "showed " + plain}
	}
}

// chance writes a probability for people: "97.5 %", "0.37 %", "3.7e-6".
func chance(p float64) string {
	percent := p * 100
	switch {
	case percent >= 0.995 || p == 0:
		return strings.TrimSuffix(strconv.FormatFloat(percent, 'f', 1, 64), ".0") + " %"
	case percent >= 0.0995:
		return strconv.FormatFloat(percent, 'f', 2, 64) + " %"
	}
	text := strconv.FormatFloat(p, 'e', 1, 64)
	digits, exponent, _ := strings.Cut(text, "e-")
	return digits + "e-" + strings.TrimLeft(exponent, "0")
}

// thousands writes a count for people: "12,345".
func thousands(n int64) string {
	text := strconv.FormatInt(max(n, -math.MaxInt64), 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
