package report

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
)

// A layout is one size of the pictures. Text in a picture shrinks with it, so a phone gets its own instead of a shrunk one.
type layout struct {
	class       string
	width       float64
	left, right float64 // margins of the plots
	ticks       int     // on the time axis
	wide        bool
}

func layouts() []layout {
	return []layout{
		{class: "wide", width: 1040, left: 78, right: 12, ticks: 14, wide: true},
		{class: "narrow", width: 360, left: 58, right: 6, ticks: 5},
	}
}

// Heights of the parts of the timeline, in the pictures' units.
const (
	rowHeight   = 15.0 // a row of labels
	titleHeight = 20.0
	panelGap    = 16.0
	stripHeight = 20.0
	stripGap    = 5.0
	axisHeight  = 34.0
)

// chart is the timeline being drawn: panels one below the other, over one time axis.
type chart struct {
	canvas
	layout
	result *result.Result
	phases []result.Phase // at most maxMarks
	faults []result.Fault
	end    float64 // seconds
	y      float64 // where the next panel begins
	top    float64 // where the first one began
}

// timeline draws what happened over time: one picture a layout.
func timeline(r *result.Result, l layout) template.HTML {
	c := &chart{layout: l, result: r, end: max(r.Seconds, r.Timeline.Bucket, 0.001)}
	c.canvas.width = l.width
	c.phases, _ = cut(r.Phases, maxMarks)
	c.faults, _ = cut(r.Faults, maxMarks)
	body := &canvas{}
	c.phaseLabels()
	c.faultLabels()
	c.top = c.y
	body.b, c.b = c.b, body.b // the labels go over the shades, and the shades need to know how far down the panels reach

	c.rates()
	c.latencies()
	c.lag()
	c.outages()
	c.nodes()
	c.probes()
	panels := c.b.String()
	c.b.Reset()
	c.defs()
	c.shades()
	c.b.WriteString(body.b.String())
	c.b.WriteString(panels)
	c.axis()
	c.height = c.y
	return c.picture("chart "+l.class, c.describe())
}

func (c *chart) plot() float64 { return c.layout.width - c.left - c.right }

// x is where a time, in seconds, is.
func (c *chart) x(seconds float64) float64 {
	return c.left + min(max(seconds/c.end, 0), 1)*c.plot()
}

func (c *chart) at(ns int64) float64 { return c.x(float64(ns) / 1e9) }

func (c *chart) describe() string {
	return fmt.Sprintf("Timeline of the run, %s: message rates, latency, lag and node states over one time axis, with %s and %s",
		duration(c.result.Seconds), things(int64(len(c.result.Phases)), "phase"), things(int64(len(c.result.Faults)), "fault"))
}

// defs are the hatchings that tell states apart without colour. Their names differ by layout: both pictures are in one page.
func (c *chart) defs() {
	c.b.WriteString(`<defs>`)
	for _, p := range []struct{ name, content string }{
		{"down", `<path class="hatch-down" d="M-1 7L7 -1M3 11L11 3"/>`},
		{"paused", `<path class="hatch-paused" d="M2 0V8M6 0V8"/>`},
		{"starting", `<circle class="hatch-starting" cx="2" cy="2" r="1"/><circle class="hatch-starting" cx="6" cy="6" r="1"/>`},
	} {
		fmt.Fprintf(&c.b, `<pattern id="%s-%s" width="8" height="8" patternUnits="userSpaceOnUse">%s</pattern>`, c.class, p.name, p.content)
	}
	c.b.WriteString(`</defs>`)
}

// label is a text that starts at a time and is put in the first row where it has room.
type label struct {
	from, to float64 // x
	text     string
	title    string
	class    string
}

// maxLabelRows bounds how many rows of labels there are; what finds no room keeps its mark, and its tooltip.
const maxLabelRows = 4

// rows puts labels into rows so that none covers another, and returns how many rows it took.
func (c *chart) rows(labels []label) int {
	var ends []float64
	for _, l := range labels {
		text := clip(l.text, 26)
		width := textWidth(text) + 8
		x := min(l.from, c.layout.width-width)
		row := slices.IndexFunc(ends, func(end float64) bool { return end <= x })
		if row < 0 {
			if len(ends) == maxLabelRows {
				continue
			}
			ends, row = append(ends, 0), len(ends)
		}
		ends[row] = x + width
		c.text(l.class, x+3, c.y+float64(row+1)*rowHeight-4, text)
	}
	return len(ends)
}

func (c *chart) phaseLabels() {
	var labels []label
	for _, p := range c.phases {
		labels = append(labels, label{from: c.at(p.From), text: p.Name, class: "phase"})
	}
	c.y += float64(c.rows(labels)) * rowHeight
}

func (c *chart) faultLabels() {
	var labels []label
	for _, f := range c.faults {
		labels = append(labels, label{from: c.at(f.Begin), text: "⚡ " + f.Name, class: "fault"})
	}
	c.y += float64(c.rows(labels))*rowHeight + 6
}

// shades mark the faults and the beginnings of the phases behind all panels.
func (c *chart) shades() {
	bottom := c.y - panelGap/2
	for _, f := range c.faults {
		from, to := c.at(f.Begin), c.x(c.end)
		if f.Gone > 0 {
			to = c.at(f.Gone)
		}
		c.rect("shade", from, c.top-4, max(to-from, 1.5), bottom-c.top+4, faultTitle(f))
		c.line("strike", from, c.top-rowHeight, from, bottom)
		if f.Heal > 0 {
			c.line("heal", c.at(f.Heal), c.top-4, c.at(f.Heal), bottom)
		}
	}
	for _, p := range c.phases {
		c.line("phase-mark", c.at(p.From), 2, c.at(p.From), bottom)
	}
}

func faultTitle(f result.Fault) string {
	text := clip(f.Name, 120)
	if f.What != "" && f.What != f.Name {
		text += " (" + clip(f.What, 120) + ")"
	}
	text += ": began " + since(f.Begin)
	for _, step := range []struct {
		word string
		at   int64
	}{{"seen in force", f.Seen}, {"taken back from", f.Heal}, {"seen gone", f.Gone}} {
		if step.at > 0 {
			text += ", " + step.word + " " + since(step.at)
		} else {
			text += ", " + step.word + ": " + notKnown
		}
	}
	return text
}

// key is an entry of a panel's legend.
type key struct{ class, name string }

// title opens a panel: its name, and the legend beside it, or below where it is narrow.
func (c *chart) title(name string, keys ...key) {
	c.text("panel", 0, c.y+13, name)
	x := c.left + 8 + max(textWidth(name)-c.left, 0)*1.15 + 24
	if !c.wide {
		x = 0
		if len(keys) > 0 {
			c.y += titleHeight - 3
		}
	}
	for _, k := range keys {
		c.rect("swatch "+k.class, x, c.y+4, 14, 10, "")
		if _, hatch := nodeLook(strings.TrimPrefix(k.class, "node-")); hatch != "" {
			c.hatch(hatch, x, c.y+4, 14, 10)
		}
		c.text("key", x+19, c.y+13, k.name)
		x += textWidth(k.name) + 36
	}
	c.y += titleHeight + 3
}

// scale maps values of one panel to its height, top down.
type scale struct {
	top, height float64
	of          func(v float64) float64 // 0..1
}

func (s scale) y(v float64) float64 { return s.top + s.height*(1-min(max(s.of(v), 0), 1)) }

func linear(ticks []tick) func(float64) float64 {
	most := ticks[len(ticks)-1].at
	return func(v float64) float64 { return v / most }
}

func logarithmic(ticks []tick) func(float64) float64 {
	low, high := math.Log(ticks[0].at), math.Log(ticks[len(ticks)-1].at)
	return func(v float64) float64 { return (math.Log(max(v, ticks[0].at)) - low) / (high - low) }
}

// grid draws the ticks of a panel and takes its height.
func (c *chart) grid(ticks []tick, height float64, of func(float64) float64) scale {
	s := scale{c.y, height, of}
	for _, t := range ticks {
		y := s.y(t.at)
		c.line("grid", c.left, y, c.left+c.plot(), y)
		c.text("tick-y", c.left-6, y+3.5, t.label)
	}
	c.y += height + panelGap
	return s
}

func (c *chart) rates() {
	t := c.result.Timeline
	top := 0.0
	for _, series := range [][]float64{t.Sent, t.Acked, t.Processed, t.Errors} {
		if len(series) > 0 {
			top = max(top, slices.Max(series))
		}
	}
	c.title("Messages per second", key{"sent", "sent"}, key{"acked", "acked"}, key{"processed", "processed"}, key{"errors", "errors"})
	ticks := linearTicks(top, 4)
	s := c.grid(ticks, 132, linear(ticks))
	c.path("sent area", c.steps(t.Sent, s, true), "")
	c.path("errors area", c.steps(slivers(t.Errors, s), s, true), "")
	c.path("acked line", c.steps(t.Acked, s, false), "")
	c.path("processed line", c.steps(t.Processed, s, false), "")
	c.tooltips(s, func(i int) string {
		return fmt.Sprintf("%s: sent %s/s, acked %s/s, processed %s/s, errors %s/s", c.bucketTime(i), shortRate(t.Sent, i),
			shortRate(t.Acked, i), shortRate(t.Processed, i), shortRate(t.Errors, i))
	})
}

// slivers raises small values to what can be seen: one error among thousands must show.
func slivers(series []float64, s scale) []float64 {
	out := slices.Clone(series)
	for i, v := range out {
		if v > 0 && s.y(0)-s.y(v) < 2.5 {
			out[i] = v * 2.5 / max(s.y(0)-s.y(v), 1e-6)
		}
	}
	return out
}

func shortRate(series []float64, i int) string {
	if i >= len(series) {
		return notKnown
	}
	return number(int64(math.Round(series[i])))
}

func (c *chart) bucketTime(i int) string {
	return since(int64(float64(i) * c.result.Timeline.Bucket * 1e9))
}

// tooltips lays invisible bars over a panel. Only the wide picture has them: a phone has no pointer to hover.
func (c *chart) tooltips(s scale, text func(i int) string) {
	if !c.wide {
		return
	}
	n := len(c.result.Timeline.Sent)
	for i := range n {
		from, to := c.bucket(i)
		c.rect("tip", from, s.top, to-from, s.height, text(i))
	}
}

func (c *chart) bucket(i int) (from, to float64) {
	b := c.result.Timeline.Bucket
	return c.x(float64(i) * b), c.x(float64(i+1) * b)
}

// steps draws a series of rates as a step line; closed, as the area below it. Equal neighbours share a step.
func (c *chart) steps(series []float64, s scale, closed bool) string {
	if len(series) == 0 || (closed && slices.Max(series) == 0) {
		return ""
	}
	var d pathData
	x, _ := c.bucket(0)
	if closed {
		d.to("M", x, s.y(0))
		d.vertical(s.y(series[0]))
	} else {
		d.to("M", x, s.y(series[0]))
	}
	for i, v := range series {
		_, x = c.bucket(i)
		if i+1 < len(series) && series[i+1] == v {
			continue
		}
		d.horizontal(x)
		if i+1 < len(series) {
			d.vertical(s.y(series[i+1]))
		}
	}
	if closed {
		d.vertical(s.y(0))
		d.b += "Z"
	}
	return d.b
}

// pathData builds the d of a path, leaving out what rounds to nothing.
type pathData struct{ b, x, y string }

func (d *pathData) to(op string, x, y float64) {
	d.x, d.y = coordinate(x), coordinate(y)
	d.b += op + d.x + " " + d.y
}

func (d *pathData) horizontal(x float64) {
	if s := coordinate(x); s != d.x {
		d.x = s
		d.b += "H" + s
	}
}

func (d *pathData) vertical(y float64) {
	if s := coordinate(y); s != d.y {
		d.y = s
		d.b += "V" + s
	}
}

func (c *chart) latencies() {
	t := c.result.Timeline
	low, high := math.Inf(1), 0.0
	for _, v := range slices.Concat(t.P50, t.P99) {
		if v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	if high == 0 {
		c.empty("Latency, end to end", "no message was delivered")
		return
	}
	c.title("Latency, end to end", key{"p50", "median"}, key{"p99", "99th percentile"})
	ticks := logTicks(max(low, 1e-5), high)
	s := c.grid(ticks, 118, logarithmic(ticks))
	c.path("p99 line", c.points(t.P99, s), "")
	c.path("p50 line", c.points(t.P50, s), "")
	c.tooltips(s, func(i int) string {
		return fmt.Sprintf("%s: median %s, 99th percentile %s", c.bucketTime(i), valueAt(t.P50, i), valueAt(t.P99, i))
	})
}

func valueAt(series []*float64, i int) string {
	if i >= len(series) || series[i] == nil {
		return "no data"
	}
	return duration(*series[i])
}

// points joins the middles of buckets; where there is no data, the line is broken. A bucket alone is a short dash.
func (c *chart) points(series []*float64, s scale) string {
	var d pathData
	joined := false
	for i, v := range series {
		if v == nil {
			joined = false
			continue
		}
		from, to := c.bucket(i)
		switch {
		case joined:
			d.to("L", (from+to)/2, s.y(*v))
		case i+1 < len(series) && series[i+1] != nil:
			d.to("M", (from+to)/2, s.y(*v))
		default:
			d.to("M", from, s.y(*v))
			d.horizontal(max(to, from+1.5))
		}
		joined = true
	}
	return d.b
}

func (c *chart) lag() {
	var values []float64
	for _, v := range c.result.Timeline.Lag {
		if v == nil {
			values = append(values, 0)
			continue
		}
		values = append(values, *v)
	}
	if len(values) == 0 {
		c.empty("Lag", "not measured")
		return
	}
	c.title("Lag: messages acked and not yet processed")
	ticks := linearTicks(slices.Max(values), 3)
	s := c.grid(ticks, 76, linear(ticks))
	c.path("lag area", c.steps(values, s, true), "")
	c.path("lag line", c.steps(values, s, false), "")
	c.tooltips(s, func(i int) string {
		return fmt.Sprintf("%s: %s", c.bucketTime(i), messages(int64(values[i])))
	})
}

// empty says that a panel has nothing to show, and why.
func (c *chart) empty(name, why string) {
	c.title(name)
	c.text("none", c.left, c.y+10, why)
	c.y += titleHeight + panelGap
}

func (c *chart) axis() {
	y := c.y - panelGap/2
	c.line("axis", c.left, y, c.left+c.plot(), y)
	for _, t := range timeTicks(c.end, c.ticks) {
		x := c.x(t.at)
		c.line("axis", x, y, x, y+5)
		class := "tick-x"
		if x > c.layout.width-16 {
			class = "tick-x last"
		}
		c.text(class, min(x, c.layout.width), y+18, t.label)
	}
	c.y += axisHeight - panelGap/2
	c.text("axis-name", c.left+c.plot()/2, c.y-1, "time since the run began")
	c.y += 4
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
