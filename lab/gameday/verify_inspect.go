package gameday

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
)

// inspector reads a history for its judge, and looks meanwhile for what no history of one run can have.
type inspector struct {
	ctx    context.Context
	reader *history.Reader

	// of the last reading
	foreign    int64 // sends of another run
	other      uint32
	impossible int64
	first      string // what was impossible first
}

// No run is so long, and no message is meant to be sent so far ahead: the bounds are for times that cannot be, not for clocks
// that disagree.
const (
	longestRun = 10 * 365 * 24 * time.Hour
	mostAhead  = 24 * time.Hour
)

// ErrJudge is a judge that crashed on a history. It says nothing of the run.
var ErrJudge = errors.New("the judge crashed, which is a mistake of havoq's: please report it with the history")

// judge is result.Judge, whatever the history holds: files come from outside.
func (i *inspector) judge(in result.Input) (res *result.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, fmt.Errorf("%w: %v\n%s", ErrJudge, p, debug.Stack())
		}
	}()
	return result.Judge(in)
}

// events reads the history from its beginning, until the context ends.
func (i *inspector) events() iter.Seq[history.Event] {
	return func(yield func(history.Event) bool) {
		i.foreign, i.impossible, i.first = 0, 0, ""
		n := 0
		run := i.reader.Header().Run
		for e := range i.reader.Events() {
			if n++; n%4096 == 0 && i.ctx.Err() != nil {
				return
			}
			if e.Kind == history.Invoke && e.Identity.Run != run && run != 0 {
				i.foreign++
				i.other = e.Identity.Run
			}
			if e.At > int64(longestRun) || e.Intended > e.At && e.Intended-e.At > int64(mostAhead) || e.Intended < -int64(longestRun) {
				i.impossibleTime(n, &e)
			}
			if !yield(e) {
				return
			}
		}
	}
}

func (i *inspector) impossibleTime(n int, e *history.Event) {
	i.impossible++
	if i.first == "" {
		i.first = fmt.Sprintf("event %d, %v at %v meant for %v", n, e.Kind, time.Duration(e.At), time.Duration(e.Intended))
	}
}

// doubts says why what was read last cannot prove that all is well.
func (i *inspector) doubts() (why []string) {
	head := i.reader.Header()
	if i.foreign > 0 {
		why = append(why, fmt.Sprintf("the history is mixed from two runs: it is of run %d, and has %d sends of another one, such as run %d: "+
			"judge the history of each run alone", head.Run, i.foreign, i.other))
	}
	if i.impossible > 0 {
		why = append(why, fmt.Sprintf("the history has %d events at impossible times (the first: %s): the clock that made them, or the "+
			"file, was wrong", i.impossible, i.first))
	}
	return why
}
