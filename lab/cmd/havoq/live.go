package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// liveOutput is the plain story with a region below it that is redrawn four times a second: phase, countdown, rates, lag,
// nodes and faults in force.
type liveOutput struct {
	mu     sync.Mutex
	w, err io.Writer
	story  *plainOutput
	region int // lines that stand on the screen below the story
	colour bool
	lag    []float64
}

func newLiveOutput(std streams) *liveOutput {
	return &liveOutput{
		w: std.out, err: std.err, colour: os.Getenv("NO_COLOR") == "",
		story: &plainOutput{w: std.out, err: std.err},
	}
}

func (o *liveOutput) begin(s *scenario.Scenario) { o.story.begin(s) }

func (o *liveOutput) progress(p gameday.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	if p.Kind != gameday.Tick {
		o.story.progress(p)
	}
	if p.Rates != nil {
		o.draw(p)
	}
}

func (o *liveOutput) clear() {
	if o.region > 0 {
		fmt.Fprintf(o.w, "\x1b[%dA\x1b[J", o.region)
		o.region = 0
	}
}

func (o *liveOutput) draw(p gameday.Progress) {
	r := p.Rates
	o.lag = append(o.lag, r.Lag)
	if len(o.lag) > 60 {
		o.lag = o.lag[1:]
	}
	head := fmt.Sprintf("%s  %s", clock(p.At), p.Phase)
	if p.Index > 0 {
		head = fmt.Sprintf("%s  %d/%d %s", clock(p.At), p.Index, p.Of, p.Phase)
	}
	if p.Left > 0 {
		head += fmt.Sprintf("  %.0fs left", p.Left.Seconds())
	}
	lines := []string{
		strings.Repeat("─", 60),
		o.paint("1", head),
		fmt.Sprintf("sent %6.0f/s   acked %6.0f/s   processed %6.0f/s   p99 %6.0f ms", r.Sent, r.Acked, r.Processed, r.P99*1000),
		fmt.Sprintf("lag %7.0f   %s", r.Lag, sparkline(o.lag)),
	}
	if r.Errors > 0 {
		lines = append(lines, o.paint("33", fmt.Sprintf("refused or unanswered %.0f/s", r.Errors)))
	}
	if len(p.Nodes) > 0 {
		lines = append(lines, o.nodes(p.Nodes))
	}
	if len(p.Faults) > 0 {
		lines = append(lines, o.paint("31", "in force: "+oneLine(strings.Join(p.Faults, ", "))))
	}
	columns := o.columns()
	for _, line := range lines {
		fmt.Fprintln(o.w, cut(line, columns))
	}
	o.region = len(lines)
}

func (o *liveOutput) nodes(states map[string]string) string {
	names := make([]string, 0, len(states))
	for n := range states {
		names = append(names, n)
	}
	slices.Sort(names)
	var parts []string
	for _, n := range names {
		part := n + " " + states[n]
		if states[n] != "up" {
			part = o.paint("31", part)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "   ")
}

func (o *liveOutput) columns() int {
	if f, ok := o.w.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}

// paint wraps text in an SGR sequence, unless colours are not wanted.
func (o *liveOutput) paint(sgr, text string) string {
	if !o.colour {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func (o *liveOutput) end(res *result.Result, dir string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	o.story.end(res, dir, err)
}

func (o *liveOutput) series(results []*result.Result) { o.story.series(results) }

func (o *liveOutput) notice(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	o.story.notice(text)
}

// sparkline draws values as blocks of eight heights.
func sparkline(values []float64) string {
	top := 1.0
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[min(7, max(0, int(v/top*7.999)))])
	}
	return b.String()
}
