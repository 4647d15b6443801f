package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/queue"
)

func historyShow(std streams) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE|RUN",
		Short: "Say in short what a history holds, and whether it is whole",
		Long: "Show reads a history through once, and says which run it is of, what it tells, of whom, and whether it is whole. It\n" +
			"does not judge: that does havoq verify.",
		Example: "  havoq history show run",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			ctx, stop := stoppable(c.Context())
			defer stop()
			e, err := openEvidence(ctx, args[0], std.in)
			if err != nil {
				return unreadable(err)
			}
			defer func() { err = errors.Join(err, e.close()) }()
			return show(ctx, e, std.out)
		},
	}
}

func show(ctx context.Context, e *evidence, w io.Writer) error {
	s := newSummary(e.Header())
	for event := range e.Events() {
		if s.events%4096 == 0 && ctx.Err() != nil {
			return failed(context.Cause(ctx))
		}
		s.observe(&event)
	}
	s.print(w, e)
	if err := e.Err(); err != nil {
		return badInput(err)
	}
	return nil
}

// summary is what is told of a history. Its memory is bounded, whatever the history holds.
type summary struct {
	header       history.Header
	kinds        map[history.Kind]int64
	events, last int64
	clients      names
	groups       names
	byGroup      map[string]*groupSummary
	faults       []*faultSummary
	sources      []string
	more         int // faults and sources beyond
	ended        bool
	aborted      string
	strangers    int64 // sends of another run
}

type groupSummary struct {
	delivered, processed int64
	drain                string
}

// faultSummary is how far a fault came; a time of 0: not so far.
type faultSummary struct {
	name, what, node  string
	begin, seen, gone int64
}

// maxNames bounds the lists of a summary, which are for people.
const maxNames = 100

// names is a set of names, of which only so many are kept.
type names struct {
	list []string
	seen map[string]bool
	more bool
}

func (n *names) add(name string) {
	if name == "" || n.seen[name] {
		return
	}
	if len(n.list) == maxNames {
		n.more = true
		return
	}
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	n.seen[name] = true
	n.list = append(n.list, name)
}

// sorted are the names, in the order of the alphabet.
func (n *names) sorted() []string {
	slices.Sort(n.list)
	return n.list
}

func newSummary(h history.Header) *summary {
	return &summary{header: h, kinds: map[history.Kind]int64{}, byGroup: map[string]*groupSummary{}}
}

func (s *summary) observe(e *history.Event) {
	s.events++
	s.kinds[e.Kind]++
	s.last = e.At
	s.clients.add(e.Client)
	s.groups.add(e.Group)
	switch e.Kind {
	case history.Invoke:
		if e.Identity.Run != s.header.Run {
			s.strangers++
		}
	case history.Deliver:
		s.group(e.Group).delivered++
	case history.Processed:
		s.group(e.Group).processed++
	case history.Drain:
		s.group(e.Group).drain = drainWords(e)
	case history.FaultBegin, history.FaultSeen, history.HealSeen:
		s.fault(e)
	case history.Source:
		if len(s.sources) == maxNames {
			s.more++
			break
		}
		s.sources = append(s.sources, sourceWords(e))
	case history.Abort:
		s.aborted = e.Name + ": " + e.Detail
	case history.End:
		s.ended = true
	}
}

// group is what is known of a group; all beyond maxNames share one.
func (s *summary) group(name string) *groupSummary {
	g := s.byGroup[name]
	if g == nil {
		if len(s.byGroup) > maxNames {
			return &groupSummary{}
		}
		g = &groupSummary{}
		s.byGroup[name] = g
	}
	return g
}

// fault notes how far a fault came: the last one of that name and, where it is told, on that node.
func (s *summary) fault(e *history.Event) {
	if e.Kind == history.FaultBegin {
		if len(s.faults) == maxNames {
			s.more++
			return
		}
		s.faults = append(s.faults, &faultSummary{name: e.Name, what: e.Detail, node: e.Node, begin: e.At})
		return
	}
	for _, f := range slices.Backward(s.faults) {
		if f.name == e.Name && (f.node == e.Node || e.Node == "") {
			if e.Kind == history.FaultSeen {
				f.seen = e.At
			} else {
				f.gone = e.At
			}
			return
		}
	}
}

func drainWords(e *history.Event) string {
	switch {
	case e.Outcome == queue.OK && e.Value == 0:
		return "drained"
	case e.Value > 0:
		return number(int64(e.Value)) + " left"
	default:
		return strings.TrimSpace("not drained " + e.Detail)
	}
}

func (f *faultSummary) String() string {
	at := func(ns int64) string { return clock(time.Duration(ns)) }
	text := f.name
	if f.what != "" && f.what != f.name {
		text += " (" + f.what + ")"
	}
	if f.node != "" && !strings.Contains(text, f.node) {
		text += " on " + f.node
	}
	text += ": begun " + at(f.begin)
	if f.seen == 0 {
		return text + ", never seen in force"
	}
	text += ", in force " + at(f.seen)
	if f.gone == 0 {
		return text + ", never seen gone"
	}
	return text + ", gone " + at(f.gone)
}

func (s *summary) faultLines() (lines []string) {
	for _, f := range s.faults {
		lines = append(lines, f.String())
	}
	return lines
}

func sourceWords(e *history.Event) string {
	of := "the sends"
	if e.Group != "" {
		of = "group " + e.Group
	}
	words := of + " from " + e.Name
	if e.Detail != "" {
		words += "; cannot see " + e.Detail
	}
	return words
}

func (s *summary) print(w io.Writer, e *evidence) {
	line := func(what, text string) {
		fmt.Fprintf(w, "%-9s %s\n", what, wrap(oneLine(text), 70, "\n"+strings.Repeat(" ", 10)))
	}
	line("history", s.place(e))
	line("run", fmt.Sprintf("%s (number %d, seed %d)", s.header.Name, s.header.Run, s.header.Seed))
	line("started", s.header.Start.UTC().Format("2006-01-02 15:04:05.000 MST"))
	line("lasted", fmt.Sprintf("%s, %s events", criteria.FormatSeconds(float64(s.last)/1e9), number(s.events)))
	line("whole", s.whole(e))
	if e.Warning() != "" {
		line("torn", e.Warning())
	}
	if s.strangers > 0 {
		line("mixed", fmt.Sprintf("%s sends are of another run than this history's", number(s.strangers)))
	}
	var counts []string
	for k := history.Invoke; int(k) <= len(kinds()); k++ {
		if n := s.kinds[k]; n > 0 {
			counts = append(counts, k.String()+" "+number(n))
		}
	}
	line("events", orNone(strings.Join(counts, ", ")))
	line("clients", s.clientWords())
	for _, list := range []struct {
		what  string
		lines []string
	}{{"groups", s.groupLines()}, {"faults", s.faultLines()}, {"sources", s.sources}} {
		if len(list.lines) == 0 && list.what != "sources" {
			line(list.what, "none")
		}
		for i, text := range list.lines {
			line(first(i, list.what), text)
		}
	}
	if s.more > 0 {
		line("", fmt.Sprintf("and %d more", s.more))
	}
}

func (s *summary) clientWords() string {
	words := s.clients.sorted()
	if s.clients.more {
		words = append(words, "and more")
	}
	return orNone(strings.Join(words, ", "))
}

// groupLines tells what each group got, and whether it was drained.
func (s *summary) groupLines() (lines []string) {
	for _, name := range s.groups.sorted() {
		g := s.group(name)
		text := fmt.Sprintf("%s: %s delivered, %s processed", name, number(g.delivered), number(g.processed))
		if g.drain != "" {
			text += "; " + g.drain
		}
		lines = append(lines, text)
	}
	return lines
}

func first(i int, word string) string {
	if i > 0 {
		return ""
	}
	return word
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// place says where the history is, and how large.
func (s *summary) place(e *evidence) string {
	text := e.arg
	if e.lines {
		return text + " (JSON lines)"
	}
	if info, err := os.Stat(e.path); err == nil {
		text += " (" + criteria.Bytes.Format(float64(info.Size())) + ")"
	}
	return text
}

// whole says whether the history reaches the end of its run.
func (s *summary) whole(e *evidence) string {
	switch part := s.header.Info[history.Part]; {
	case e.Err() != nil:
		return "no: it is damaged, and what follows is not to be trusted"
	case part != "":
		return "no: it is a part of a history, only " + part
	case s.aborted != "":
		return "yes, but the run was aborted by " + s.aborted
	case !s.ended:
		return "no: it ends without the run's own end; the run was killed, or goes on still"
	case e.Warning() != "":
		return "it reaches the run's own end, but its last bytes are damaged"
	default:
		return "yes: it reaches the run's own end"
	}
}
