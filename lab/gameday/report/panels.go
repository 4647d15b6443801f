package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

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
	for _, series := range [][]float64{t.Sent, t.Acked, t.Processed} {
		if len(series) > 0 {
			top = max(top, slices.Max(series))
		}
	}
	c.title("Messages per second", key{"sent", "sent"}, key{"acked", "acked"}, key{"processed", "processed"})
	ticks := linearTicks(top, 4)
	s := c.grid(ticks, 132, linear(ticks))
	c.path("sent area", c.steps(t.Sent, s, true), "")
	c.path("acked line", c.steps(t.Acked, s, false), "")
	c.path("processed line", c.steps(t.Processed, s, false), "")
	c.tooltips(s, func(i int) string {
		return fmt.Sprintf("%s: sent %s/s, acked %s/s, processed %s/s", c.bucketTime(i), shortRate(t.Sent, i),
			shortRate(t.Acked, i), shortRate(t.Processed, i))
	})
}

// errors have a panel of their own: a client that is refused tries again at once, so their number is of another size.
func (c *chart) errors() {
	t := c.result.Timeline
	if len(t.Errors) == 0 || slices.Max(t.Errors) == 0 {
		return
	}
	c.title("Errors per second: sends refused or unanswered")
	ticks := linearTicks(slices.Max(t.Errors), 2)
	s := c.grid(ticks, 54, linear(ticks))
	c.path("errors area", c.steps(slivers(t.Errors, s), s, true), "")
	c.tooltips(s, func(i int) string {
		return fmt.Sprintf("%s: %s errors a second", c.bucketTime(i), shortRate(t.Errors, i))
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
