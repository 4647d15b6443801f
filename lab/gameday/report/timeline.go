package report

import (
	"fmt"
	"html/template"
	"maps"
	"slices"

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
	c.errors()
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
	from  float64 // x
	text  string
	class string
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
