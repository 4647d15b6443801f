package report

import (
	"fmt"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// maxRestsOn bounds how many of its checks a half of the verdict names, and maxChances how many claims a sentence has.
const (
	maxRestsOn = 8
	maxChances = 8
)

// Half is the verdict on one half of what a system promises: safety or liveness.
type Half struct {
	Name    string
	Verdict oracle.Verdict
	How     string // what it rests on, or why it is not a pass
}

func halves(r *result.Result) []Half {
	return []Half{half("safety", r.Safety), half("liveness", r.Liveness)}
}

func half(name string, j result.Judgement) Half {
	h := Half{Name: name, Verdict: j.Verdict}
	list, last := j.Reasons, " more"
	if j.Verdict == oracle.Pass {
		list, last = j.RestsOn, " more checks"
	}
	kept, more := cut(list, maxRestsOn)
	if j.Verdict != oracle.Pass { // the others stand among the reasons of the whole
		kept, more = cut(list, 1)
	}
	parts := make([]string, 0, len(kept)+1)
	for _, text := range kept {
		parts = append(parts, clip(text, 160))
	}
	if more > 0 {
		parts = append(parts, "and "+number(int64(more))+last)
	}
	separator := ", "
	if j.Verdict != oracle.Pass {
		separator = "; "
	}
	h.How = strings.Join(parts, separator)
	return h
}

// zeros tells what the counts of anomalies are worth.
type zeros struct {
	None  string // why nothing at all is claimed; "": see the table
	Table table
	Basis []string // what the claims rest on
}

func newZeros(r *result.Result) (z zeros) {
	if z.None = noClaims(r.Claims); z.None != "" {
		return z
	}
	var rows []row
	told := map[string]bool{} // units whose outlook is told
	for _, c := range r.Claims {
		name := clip(strings.ReplaceAll(c.Anomaly, "_", " "), 80)
		if len(rows) == 0 || rows[len(rows)-1][0] != name {
			rows = append(rows, row{name, "", ""})
		}
		cell := &rows[len(rows)-1][1]
		if c.Unit == oracle.PerMessage {
			cell = &rows[len(rows)-1][2]
		}
		*cell = clip(strings.TrimPrefix(*cell+"; "+unbroken(c.Text), "; "), maxText)
		if c.Outlook != "" && !told[c.Unit] && len(told) < maxChances {
			told[c.Unit] = true
			z.Basis = append(z.Basis, clip(unbroken("To claim more, by "+c.Unit+": "+c.Outlook), maxText)+".")
		}
	}
	for i := range rows {
		if rows[i][2] == "" {
			rows[i][2] = "–"
		}
	}
	z.Table = newTable("claims", rows, "anomaly", "by fault", "by message")
	z.Basis = append(z.Basis,
		fmt.Sprintf("Exposure: %s, retries included, overlapped a fault; %s with such a send got acked.", things(r.Exposed, "send"),
			messages(r.ExposedAcked)),
		"A fault counts if it was seen in force, struck, and was met by a send; those of one kind in force together count once, and "+
			"all are taken as independent. By message a claim holds only given these very faults, because losses come in bursts.",
		"The number of trials must be fixed beforehand, as with havoq run --repeat: to go on until a bound looks good makes it wrong.",
	)
	return z
}

// unbroken keeps a number and its sign on one line.
func unbroken(text string) string {
	return strings.NewReplacer(" %", "\u00a0%", "< ", "<\u00a0", "> ", ">\u00a0").Replace(text)
}

// noClaims says why nothing is claimed of anything; "" if something is.
func noClaims(claims []oracle.Claim) string {
	if len(claims) == 0 {
		return "Nothing is claimed of the next time: no fault was injected, or no promise was made."
	}
	for _, c := range claims {
		if c.Unknown == "" || c.Unknown != claims[0].Unknown {
			return ""
		}
	}
	return "Nothing is claimed of the next time: " + clip(claims[0].Unknown, maxText)
}

// Chances is what the run says of the next time: a sentence by fault and then one by message, of the contract's first promise.
func Chances(claims []oracle.Claim) (parts []string) {
	if why := noClaims(claims); why != "" {
		return []string{why}
	}
	for i, c := range claims {
		if c.Anomaly != claims[0].Anomaly || i == maxChances {
			break
		}
		text := clip(c.Text, maxText)
		switch {
		case c.Unit != oracle.PerMessage:
		case c.Unknown != "":
			text = "per message nothing is claimed: " + clip(c.Unknown, maxText)
		default:
			text = fmt.Sprintf("per message, given these faults: %s of %s that met one, %s", number(c.K), number(c.N), c.Bound())
		}
		if c.Outlook != "" {
			text += " (" + clip(c.Outlook, maxText) + ")"
		}
		parts = append(parts, text)
	}
	return parts
}

func chanceSentence(r *result.Result) string { return sentence(strings.Join(Chances(r.Claims), "; ")) }
