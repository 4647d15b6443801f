package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// canvas writes one SVG picture. Its text is the same for the same calls, so pictures can be compared byte by byte. Colours are
// the style sheet's: shapes carry classes only.
type canvas struct {
	b             strings.Builder
	width, height float64
}

// coordinate is short: a tenth of a unit is more than a screen shows.
func coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64) // + 0: no "-0"
}

func attribute(text string) string { return html.EscapeString(text) }

// picture closes the canvas. label tells those who cannot see it what it shows.
func (c *canvas) picture(class, label string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="%s" role="img" aria-label="%s" viewBox="0 0 %s %s">%s</svg>`,
		attribute(class), attribute(label), coordinate(c.width), coordinate(c.height), c.b.String()))
}

// rect draws a rectangle; title is its tooltip, empty for none. Nothing is drawn for one without a size.
func (c *canvas) rect(class string, x, y, w, h float64, title string) {
	if w <= 0 || h <= 0 {
		return
	}
	c.b.WriteString(`<rect class="` + attribute(class) + `" x="` + coordinate(x) + `" y="` + coordinate(y) +
		`" width="` + coordinate(w) + `" height="` + coordinate(h) + `"`)
	c.end("rect", title)
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.b.WriteString(`<line class="` + attribute(class) + `" x1="` + coordinate(x1) + `" y1="` + coordinate(y1) +
		`" x2="` + coordinate(x2) + `" y2="` + coordinate(y2) + `"/>`)
}

// path draws path data; an empty one draws nothing.
func (c *canvas) path(class, data, title string) {
	if data == "" {
		return
	}
	c.b.WriteString(`<path class="` + attribute(class) + `" d="` + data + `"`)
	c.end("path", title)
}

func (c *canvas) text(class string, x, y float64, text string) {
	c.b.WriteString(`<text class="` + attribute(class) + `" x="` + coordinate(x) + `" y="` + coordinate(y) + `">` +
		html.EscapeString(text) + `</text>`)
}

func (c *canvas) end(element, title string) {
	if title == "" {
		c.b.WriteString("/>")
		return
	}
	c.b.WriteString("><title>" + html.EscapeString(title) + "</title></" + element + ">")
}

// textWidth estimates how wide a text of the pictures' small type is. It errs on the wide side.
func textWidth(text string) float64 { return float64(len([]rune(text))) * 6.8 }
