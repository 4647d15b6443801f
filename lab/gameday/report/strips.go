package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/havoqlab/havoq/lab/gameday/result"
)

// maxStrips bounds how many nodes, or probes, are drawn. A note says how many more there are.
const maxStrips = 24

// strip opens a row of the timeline and returns its top.
func (c *chart) strip(name string) float64 {
	most := 11
	if !c.wide {
		most = 9
	}
	y := c.y
	c.text("tick-y", c.left-6, y+stripHeight-6, clip(name, most))
	c.y += stripHeight + stripGap
	return y
}

func (c *chart) stripsEnd(hidden int, what string) {
	if hidden > 0 {
		c.text("none", c.left, c.y+10, fmt.Sprintf("and %d more %s, in result.json", hidden, what))
		c.y += titleHeight
	}
	c.y += panelGap - stripGap
}

// outages draws the stretches without a single success.
func (c *chart) outages() {
	if len(c.result.Outages) == 0 {
		return
	}
	c.title("Without a single success")
	outages, more := cut(c.result.Outages, maxMarks)
	for _, side := range []struct{ side, name, word string }{
		{"produce", "sending", "no send was confirmed"}, {"consume", "receiving", "nothing was delivered"},
	} {
		y := c.strip(side.name)
		c.rect("node-none", c.left, y, c.plot(), stripHeight, "")
		for _, o := range outages {
			if o.Side != side.side {
				continue
			}
			from, to := c.at(o.From), c.at(o.To)
			text := duration(o.Seconds())
			title := fmt.Sprintf("%s for %s, from %s", side.word, text, since(o.From))
			if o.Group != "" {
				title += fmt.Sprintf(", group %q", clip(o.Group, 80))
			}
			c.box("outage", "down", text, title, from, to, y)
		}
	}
	c.stripsEnd(more, "outages")
}

// box draws a stretch in a strip, with its text where it has room.
func (c *chart) box(class, hatch, text, title string, from, to, y float64) {
	width := max(to-from, 1.5)
	c.rect("box "+class, from, y, width, stripHeight, title)
	if hatch != "" && width > 3 {
		c.hatch(hatch, from, y, width, stripHeight)
	}
	if w := textWidth(text); text != "" && w+8 < width {
		if hatch != "" {
			c.rect("plate", from+(width-w)/2-2, y+3, w+4, stripHeight-6, "")
		}
		c.text("in-box "+class+"-text", from+width/2, y+stripHeight-6, text)
	}
}

// hatch lays a hatching over a rectangle.
func (c *chart) hatch(name string, x, y, w, h float64) {
	fmt.Fprintf(&c.b, `<rect class="over" x="%s" y="%s" width="%s" height="%s" fill="url(#%s-%s)"/>`,
		coordinate(x), coordinate(y), coordinate(w), coordinate(h), c.class, name)
}

// nodes draws a strip a node. States differ in fill, hatching and word.
func (c *chart) nodes() {
	nodes := c.result.Timeline.Nodes
	if len(nodes) == 0 {
		return
	}
	c.title("Nodes", key{"node-leader", "leader"}, key{"node-up", "up"}, key{"node-starting", "starting"},
		key{"node-paused", "paused"}, key{"node-down", "down"})
	names := sortedNames(nodes)
	for _, name := range names[:min(len(names), maxStrips)] {
		y := c.strip(name)
		c.rect("node-none", c.left, y, c.plot(), stripHeight, "")
		for _, s := range visible(nodes[name], c.end/c.plot()) {
			class, hatch := nodeLook(s.State)
			text := s.State
			if s.State == result.NodeUp {
				text = ""
			}
			title := fmt.Sprintf("%s is %s from %s to %s", clip(name, 80), s.State, since(s.From), since(s.To))
			c.box(class, hatch, clip(text, 20), title, c.at(s.From), c.at(s.To), y)
		}
	}
	c.stripsEnd(len(names)-maxStrips, "nodes")
}

// visible leaves out stretches that are shorter than half a unit and not the last: a node that flaps for a day must not make
// the picture large.
func visible(states []result.NodeState, secondsPerUnit float64) []result.NodeState {
	if len(states) < maxMarks {
		return states
	}
	kept, _ := cut(slices.DeleteFunc(slices.Clone(states), func(s result.NodeState) bool { return s.Seconds() < secondsPerUnit/2 }), 1000)
	return kept
}

func nodeLook(state string) (class, hatch string) {
	switch state {
	case result.NodeLeader:
		return "node-leader", ""
	case result.NodeUp:
		return "node-up", ""
	case result.NodeStarting:
		return "node-starting", "starting"
	case result.NodePaused:
		return "node-paused", "paused"
	case result.NodeDown:
		return "node-down", "down"
	default:
		return "node-other", ""
	}
}

// probes draws a strip a probe: a low bar where it answered well, a full red one where it did not.
func (c *chart) probes() {
	probes := c.result.Timeline.Probes
	if len(probes) == 0 {
		return
	}
	c.title("Probes", key{"probe-ok", "answered well"}, key{"probe-failed", "failed"})
	names := sortedNames(probes)
	for _, name := range names[:min(len(names), maxStrips)] {
		y := c.strip(name)
		c.rect("node-none", c.left, y, c.plot(), stripHeight, "")
		c.probe(clip(name, 80), probes[name], y)
	}
	c.stripsEnd(len(names)-maxStrips, "probes")
}

func (c *chart) probe(name string, series []*float64, y float64) {
	for i := 0; i < len(series); {
		j := i + 1
		for j < len(series) && same(series[i], series[j]) {
			j++
		}
		if series[i] != nil {
			from, _ := c.bucket(i)
			_, to := c.bucket(j - 1)
			title := fmt.Sprintf("%s: %.0f %% answered well from %s", name, *series[i]*100, c.bucketTime(i))
			failed := (1 - *series[i]) * stripHeight
			if *series[i] == 1 {
				c.rect("probe-ok", from, y+stripHeight*0.65, max(to-from, 1), stripHeight*0.35, title)
			} else {
				c.rect("probe-failed", from, y+stripHeight-max(failed, stripHeight*0.5), max(to-from, 2), max(failed, stripHeight*0.5), title)
			}
		}
		i = j
	}
}

func same(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return cmp.Compare(*a, *b) == 0
}
