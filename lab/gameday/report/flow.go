package report

import (
	"fmt"
	"html/template"

	"github.com/havoqlab/havoq/lab/gameday/result"
)

// flowHeight is how high the bar of all offered messages is.
const flowHeight = 190.0

// hairline is the height below which a stream is drawn as a dashed line instead of to scale, so that a few messages are
// neither invisible nor look like many.
const hairline = 2.5

// stream is one bar of the flow picture: messages that share a fate.
type stream struct {
	name  string
	n     int64
	known bool
	class string
	to    []*stream
	all   bool    // n is of all groups together
	y     float64 // its top, once placed
	out   float64 // how much of its height has left it
}

// perGroup scales what is counted in all groups together back to one: each group is to process every message.
func perGroup(r *result.Result) int64 { return int64(max(r.Groups, 1)) }

// flow draws where every message went: what was offered, what the sender was told, what became of it.
func flow(r *result.Result, l layout) template.HTML {
	f := &flowPicture{layout: l, total: r.Counts.Offered, groups: perGroup(r)}
	f.canvas.width = l.width
	f.columns = flowStreams(r)
	f.place()
	for _, column := range f.columns {
		for _, s := range column {
			f.ribbons(s)
		}
	}
	for i, column := range f.columns {
		for _, s := range column {
			f.bar(i, s)
		}
	}
	return f.picture("flow "+l.class, flowWords(r))
}

type flowPicture struct {
	canvas
	layout
	total   int64
	groups  int64
	columns [][]*stream
}

func flowStreams(r *result.Result) [][]*stream {
	c := r.Counts
	settled := r.Drained && r.Complete
	ends := []*stream{
		{name: "Processed", n: c.Processed, known: true, class: "flow-good"},
		{name: "Dead-lettered", n: c.DeadLettered, known: true, class: "flow-doubt"},
		{name: "Still queued", n: c.Queued, known: settled || c.Queued > 0, class: "flow-doubt"},
		{name: "Lost", n: c.Lost, known: settled || c.Lost > 0, class: "flow-bad"},
	}
	if c.Unaccounted > 0 {
		ends = append(ends, &stream{name: "Not accounted for", n: c.Unaccounted, known: true, class: "flow-doubt"})
	}
	for _, s := range ends {
		s.all = true
	}
	doubts := []*stream{
		{name: "Arrived after all", n: c.DoubtProcessed, known: true, class: "flow-good"},
		{name: "Not seen again", n: c.InDoubt - c.DoubtProcessed, known: true, class: "flow-doubt"},
	}
	acked := &stream{name: "Acked", n: c.Acked, known: true, class: "flow-good", to: ends}
	doubt := &stream{name: "In doubt", n: c.InDoubt, known: true, class: "flow-doubt", to: doubts}
	failed := &stream{name: "Failed", n: c.Failed, known: true, class: "flow-failed"}
	offered := &stream{name: "Offered", n: c.Offered, known: true, class: "flow-all", to: []*stream{acked, doubt, failed}}
	last := ends
	if c.InDoubt > 0 {
		last = append(last, doubts...)
	} else {
		doubt.to = nil
	}
	return [][]*stream{{offered}, {acked, doubt, failed}, last}
}

func flowWords(r *result.Result) string {
	c := r.Counts
	return fmt.Sprintf("Where every message went: %d offered; %d acked, %d in doubt, %d failed; of the acked ones %d processed, "+
		"%d dead-lettered, %d still queued, %d lost", c.Offered, c.Acked, c.InDoubt, c.Failed, c.Processed, c.DeadLettered, c.Queued, c.Lost)
}

func (f *flowPicture) size(s *stream) float64 {
	if f.total <= 0 {
		return 0
	}
	return float64(s.n) / float64(f.whole(s)) * flowHeight
}

// whole is how many messages there are of a stream's kind.
func (f *flowPicture) whole(s *stream) int64 {
	if s.all {
		return f.total * f.groups
	}
	return f.total
}

// place stacks each column; a small stream gets room for its label.
func (f *flowPicture) place() {
	for i, column := range f.columns {
		y := 8.0
		for _, s := range column {
			h := max(f.size(s), hairline)
			slot := max(h, 22)
			if f.twoLines(i, s) {
				slot = max(h, 30)
			}
			s.y = y + (slot-h)/2
			y += slot + 12
		}
		f.height = max(f.height, y)
	}
}

// twoLines reports whether a label is too long for one line: on a phone.
func (f *flowPicture) twoLines(column int, s *stream) bool {
	if f.wide {
		return false
	}
	room := f.layout.width - f.columnX(column) - barWidth - 7
	if column+1 < len(f.columns) {
		room = f.columnX(column+1) - f.columnX(column) - barWidth - 7
	}
	return f.size(s) >= 40 || textWidth(s.name+" "+s.value()) > room
}

// value is the number of messages as it is shown.
func (s *stream) value() string {
	if !s.known {
		return notKnown
	}
	return number(s.n)
}

const barWidth = 9.0

func (f *flowPicture) columnX(i int) float64 {
	if f.wide {
		return []float64{2, 390, 780}[i]
	}
	return []float64{2, 106, 214}[i]
}

// ribbons joins a stream to where it goes.
func (f *flowPicture) ribbons(s *stream) {
	for _, t := range s.to {
		if t.n <= 0 {
			continue
		}
		x1, x2 := f.columnX(f.column(s))+barWidth, f.columnX(f.column(t))
		h, y1, y2 := f.size(t), s.y+s.out, t.y
		s.out += h
		title := fmt.Sprintf("%s → %s: %s", s.name, t.name, messages(t.n))
		middle := coordinate((x1 + x2) / 2)
		if h < hairline {
			y2 += hairline / 2
			f.path("thread "+t.class, "M"+coordinate(x1)+" "+coordinate(y1)+"C"+middle+" "+coordinate(y1)+" "+middle+" "+
				coordinate(y2)+" "+coordinate(x2)+" "+coordinate(y2), title)
			continue
		}
		f.path("ribbon "+t.class, "M"+coordinate(x1)+" "+coordinate(y1)+"C"+middle+" "+coordinate(y1)+" "+middle+" "+
			coordinate(y2)+" "+coordinate(x2)+" "+coordinate(y2)+"V"+coordinate(y2+h)+"C"+middle+" "+coordinate(y2+h)+" "+
			middle+" "+coordinate(y1+h)+" "+coordinate(x1)+" "+coordinate(y1+h)+"Z", title)
	}
}

func (f *flowPicture) column(s *stream) int {
	for i, column := range f.columns {
		for _, other := range column {
			if other == s {
				return i
			}
		}
	}
	return 0
}

func (f *flowPicture) bar(column int, s *stream) {
	x, h := f.columnX(column), f.size(s)
	if s.n > 0 {
		f.rect("bar "+s.class, x, s.y, barWidth, max(h, hairline), fmt.Sprintf("%s: %s", s.name, messages(s.n)))
	}
	middle := s.y + max(h, hairline)/2
	value := s.value()
	class := "flow-label"
	switch {
	case !s.known:
		class += " not-known"
	case s.n == 0:
		class += " zero"
	}
	if s.n > 0 && s.class == "flow-bad" {
		class += " bad"
	}
	x += barWidth + 7
	if f.wide {
		if share := percent(s.n, f.whole(s)); s.known && s.n > 0 && s.n != f.whole(s) {
			value += "  (" + share + ")"
		}
		f.text(class, x, middle+4.5, s.name+"  "+value)
		return
	}
	if f.twoLines(column, s) {
		f.text(class, x, middle-2, s.name)
		f.text(class, x, middle+12, value)
		return
	}
	f.text(class, x, middle+4, s.name+" "+value)
}
