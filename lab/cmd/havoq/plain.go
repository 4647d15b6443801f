package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// plainOutput tells a run as a story in lines: what runs, each phase with its figures, what was injected as it was seen, and
// the verdict.
type plainOutput struct {
	mu       sync.Mutex
	w, err   io.Writer
	scenario *scenario.Scenario
	lastTick time.Duration
}

// A long phase says every now and then that it is alive.
const tickEvery = 10 * time.Second

func (o *plainOutput) begin(s *scenario.Scenario) { o.scenario = s }

func (o *plainOutput) progress(p gameday.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch p.Kind {
	case gameday.Start:
		o.lastTick = 0
		o.intro(p)
	case gameday.Target:
		o.line(p, "target "+p.Text)
	case gameday.PhaseOn:
		o.lastTick = p.At
		o.line(p, fmt.Sprintf("%d/%d %s", p.Index, p.Of, p.Text))
	case gameday.PhaseOff, gameday.Act, gameday.Leader:
		o.line(p, "    "+p.Text)
	case gameday.NodeState:
		if strings.Contains(p.Text, "by itself") { // what havoq does to a node is told by the act
			o.line(p, "    "+p.Text)
		}
	case gameday.Tick:
		if p.At-o.lastTick >= tickEvery && p.Phase != "" {
			o.lastTick = p.At
			o.line(p, "    … "+tickText(p))
		}
	case gameday.Aborted, gameday.LeftOut:
		o.line(p, p.Text)
	case gameday.Draining:
		o.line(p, o.draining())
	case gameday.Drained:
		o.line(p, "    "+p.Text)
	}
}

// draining says what is waited for: an application of the user's own goes on sending.
func (o *plainOutput) draining() string {
	if o.scenario.Workload.IsExternal() {
		return "drain: judging what was sent until now; waiting until every one is processed"
	}
	return "drain: no new messages; waiting until every one is processed"
}

func (o *plainOutput) intro(p gameday.Progress) {
	s := o.scenario
	w := s.Workload
	fmt.Fprintf(o.w, "%s: %s\n", s.Name, s.Title)
	if s.Hypothesis != "" {
		fmt.Fprintf(o.w, "  hypothesis  %s\n", wrap(s.Hypothesis, 90, "\n              "))
	}
	fmt.Fprintf(o.w, "  load        %s\n", w)
	fmt.Fprintf(o.w, "  folder      %s (seed %d)\n\n", p.Folder, p.Seed)
}

func (o *plainOutput) line(p gameday.Progress, text string) {
	fmt.Fprintf(o.w, "%s  %s\n", clock(p.At), text)
}

func (o *plainOutput) end(res *result.Result, dir string, _ error) {
	if res == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintln(o.w)
	printVerdict(o.w, res, dir)
}

func (o *plainOutput) series(results []*result.Result) { printSeries(o.w, results) }

func (o *plainOutput) notice(text string) { fmt.Fprintln(o.err, text) }

// clock is minutes and seconds since the start of the run.
func clock(d time.Duration) string {
	tenths := d.Round(100*time.Millisecond) / (100 * time.Millisecond)
	return fmt.Sprintf("%02d:%02d.%d", tenths/600, tenths/10%60, tenths%10)
}

func tickText(p gameday.Progress) string {
	r := p.Rates
	rate := criteria.PerSecond.Format
	text := fmt.Sprintf("%s sent, %s acked, %s processed, lag %s", rate(r.Sent), rate(r.Acked), rate(r.Processed), number(int64(r.Lag)))
	if r.Errors > 0 {
		text += ", " + rate(r.Errors) + " refused or unanswered"
	}
	if p.Left > 0 {
		text += fmt.Sprintf(" (at most %s left)", p.Left.Round(time.Second))
	}
	return text
}

// wrap breaks text at spaces into lines of at most so many columns, if its words allow.
func wrap(text string, most int, newline string) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		switch {
		case column == 0:
		case column+1+width(word) > most:
			b.WriteString(newline)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width(word)
	}
	return b.String()
}
