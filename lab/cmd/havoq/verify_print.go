package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// print tells a person what was judged, by which contract, and what it came to.
func (v verified) print(w io.Writer, several bool, f verifyFlags) {
	if several {
		fmt.Fprintf(w, "%s\n", v.arg)
	}
	v.printContract(w, f)
	if v.dir != "" && !v.Other() {
		printVerdict(w, v.Result, v.dir)
	} else {
		printJudgement(w, v.Result)
		fmt.Fprintf(w, "  again   %s\n", v.Result.Again)
	}
	if v.dir == "" || v.Other() || f.witnesses != defaultWitnesses {
		printWitnesses(w, v.Result, f.witnesses)
	}
}

// printContract says by what it was judged, unless that goes without saying.
func (v verified) printContract(w io.Writer, f verifyFlags) {
	c, asked := v.Result.Contract, f.contract != ""
	switch {
	case v.Other():
		printContract(w, fmt.Sprintf("%s; this is NOT the run's own (%s): nothing is written to its folder, and what its scenario "+
			"expects does not count", c, v.Recorded))
	case v.dir != "" && asked:
		printContract(w, c+", which is the run's own")
	case v.dir != "":
	case asked:
		printContract(w, c+"; the history was judged alone, by no scenario's criteria")
	case v.folder != "":
		printContract(w, c+", because the history was judged alone; by the contract and the criteria of its scenario: havoq verify "+
			shellWord(v.folder))
	default:
		printContract(w, c+", because the history was judged alone; --contract names another one")
	}
}

// printContract wraps the words for a terminal: they may be long.
func printContract(w io.Writer, text string) {
	fmt.Fprintf(w, "contract %s\n", wrap(oneLine(text), 71, "\n         "))
}

// printWitnesses shows the lives of messages, of each anomaly as many as were asked for.
func printWitnesses(w io.Writer, res *result.Result, most int) {
	shown := map[string]int{}
	for i := range res.Witnesses {
		x := &res.Witnesses[i]
		if shown[x.Anomaly] == most {
			continue
		}
		if len(shown) == 0 {
			fmt.Fprintln(w)
		}
		shown[x.Anomaly]++
		fmt.Fprintf(w, "  witness %s\n", witnessWords(x))
		for j, step := range x.Life {
			if j == maxLife {
				fmt.Fprintf(w, "    and %d more steps (--json has them)\n", len(x.Life)-j)
				break
			}
			line := fmt.Sprintf("  %11.6fs  %-13s %s", time.Duration(step.At).Seconds(), step.What, oneLine(step.Detail))
			fmt.Fprintln(w, strings.TrimRight(line, " "))
		}
	}
}

// maxLife bounds what is printed of one witness; a message that is delivered for ever has shown enough by then.
const maxLife = 20

func witnessWords(x *oracle.Witness) string {
	text := strings.ReplaceAll(x.Anomaly, "_", " ")
	if id := x.Message; id.Run != 0 || id.Producer != 0 || id.Seq != 0 {
		text += fmt.Sprintf(": message %d of producer %d", id.Seq, id.Producer)
	}
	if x.Group != "" {
		text += ", group " + x.Group
	}
	text += ", " + x.Attribution
	if x.Fault != "" {
		text += " (" + x.Fault + ")"
	}
	return oneLine(text)
}
