package result

import (
	"fmt"
	"strings"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// maxLog bounds the runbook log in result.json. The history keeps all of it.
const maxLog = 2000

// runLog tells a run in lines for people.
type runLog struct {
	lines []LogLine
	more  int
	lastN history.Event // the last NotSent that was told, to tell each reason once in a row
}

func (l *runLog) observe(e *history.Event) {
	who, text := l.words(e)
	if text == "" {
		return
	}
	if len(l.lines) >= maxLog {
		l.more++
		return
	}
	l.lines = append(l.lines, LogLine{At: e.At, Who: who, Text: text})
}

func (l *runLog) result(end int64) []LogLine {
	if l.more == 0 {
		return l.lines
	}
	return append(l.lines, LogLine{At: end, Who: "havoq", Text: fmt.Sprintf("%d more lines are in %s only", l.more, HistoryFile)})
}

// words gives who speaks and what; an empty text is an event that is not for the log.
func (l *runLog) words(e *history.Event) (who, text string) {
	switch e.Kind {
	case history.FaultBegin, history.FaultSeen, history.HealBegin, history.HealSeen:
		return "fault", faultWords(e)
	case history.Phase:
		if e.Name == "" {
			return "phase", "the phases are over"
		}
		return "phase", join(e.Name+" begins", e.Detail)
	case history.Node:
		return "node", nodeWords(e)
	case history.Note:
		if e.Name == "" {
			return "note", e.Detail
		}
		return e.Name, e.Detail
	case history.Drain:
		return "drain", drainWords(e)
	case history.NotSent:
		if l.lastN.Kind == e.Kind && l.lastN.Detail == e.Detail && l.lastN.Client == e.Client {
			return "", ""
		}
		l.lastN = *e
		return e.Client, join("could not send all it was to", e.Detail)
	case history.Abort:
		return e.Name, join("ended the run", e.Detail)
	case history.End:
		return "havoq", "the run came to its end"
	default:
		return "", ""
	}
}

func faultWords(e *history.Event) string {
	name := e.Name
	if e.Node != "" && !strings.Contains(name, e.Node) {
		name += " on " + e.Node
	}
	switch e.Kind {
	case history.FaultBegin:
		return join(name+" is being injected", e.Detail)
	case history.FaultSeen:
		return join(name+" is seen in force", e.Detail)
	case history.HealBegin:
		return join(name+" is being taken back", e.Detail)
	default:
		return join(name+" is seen gone", e.Detail)
	}
}

func nodeWords(e *history.Event) string {
	if e.Detail == NodeLeader {
		return e.Node + " is the leader"
	}
	return e.Node + " is " + e.Detail
}

func drainWords(e *history.Event) string {
	group := "the queue"
	if e.Group != "" {
		group = fmt.Sprintf("group %q", e.Group)
	}
	switch {
	case e.Outcome == queue.OK:
		return join(group+" is proven empty", e.Detail)
	case e.Value >= 0:
		return join(fmt.Sprintf("%s is not drained: %.0f messages left", group, e.Value), e.Detail)
	default:
		return join(group+" is not proven empty: what is left is not known", e.Detail)
	}
}

func join(text, detail string) string {
	if detail == "" {
		return text
	}
	return text + ": " + detail
}
