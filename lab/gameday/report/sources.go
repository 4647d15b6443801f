package report

import (
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
)

func sourceHeads() []string {
	return []string{"source", "tells", "messages", "missing", "told again", "of unknown messages", "cannot see"}
}

// sourceRows tell what the history was made of, where nobody recorded a client of the queue.
func sourceRows(r *result.Result) (rows []row) {
	for _, s := range r.Sources {
		cells := row{clip(s.Name, 80), "what was processed", number(s.Messages), number(s.Missing), number(s.Repeated), number(s.Unknown)}
		if s.Group == "" {
			cells = row{clip(s.Name, 80), "what was sent", number(s.Messages), "–", "–", "–"}
		}
		rows = append(rows, append(cells, anomalyList(s.CannotSee)))
	}
	return rows
}

func anomalyList(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return clip(strings.ReplaceAll(strings.Join(names, ", "), "_", " "), maxText)
}

// sourceDoubts are what the sources could not tell.
func sourceDoubts(r *result.Result) []string {
	var all []string
	for _, s := range r.Sources {
		all = append(all, s.Doubts...)
	}
	return clipped(all)
}

func (m *markdown) sources(r *result.Result) {
	rows, more := cut(sourceRows(r), maxMarkdownRows)
	if len(rows) == 0 {
		return
	}
	m.line("### Sources")
	m.head(sourceHeads()...)
	for _, cells := range rows {
		m.row(text(cells[0]), cells[1], cells[2], cells[3], cells[4], cells[5], text(cells[6]))
	}
	m.gap()
	m.more(more)
	if doubts := sourceDoubts(r); len(doubts) > 0 {
		m.list(doubts)
	}
}
