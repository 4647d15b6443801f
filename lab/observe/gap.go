package observe

import (
	"fmt"
	"slices"

	"github.com/havoqlab/havoq/history"
)

// tellGaps records what could not be told, each kind once.
func (b *book) tellGaps() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.gaps {
		b.cfg.Recorder.Record(history.Event{
			Kind: history.Gap, Name: history.GapSource, Group: g.group, Value: float64(g.n), Detail: b.text(g),
		})
	}
	b.gaps = nil
}

// trouble is why a message is not known.
type trouble uint8

const (
	nameless   trouble = iota // without an ID
	repeated                  // with the ID of another one
	ownless                   // an output without an ID of its own
	missed                    // gone before it was read
	tooMany                   // more IDs than are remembered
	forgotten                 // more than are remembered
	waiting                   // more effects than may wait for their input
	endless                   // a listing that is too long
	silent                    // nobody posts
	orphaned                  // an effect whose input was perhaps not seen
	stranger                  // no ID of a group is one of the input
	keptBefore                // a row of before the run has the ID of a message
)

// gap collects one kind of trouble of one source.
type gap struct {
	group, where string
	kind         trouble
	n            int64
	at           int64  // position of the first; 0: none
	why          string // of the first
}

// gap returns the one of this kind; the caller holds the lock.
func (b *book) gap(group, where string, kind trouble) *gap {
	for _, g := range b.gaps {
		if g.group == group && g.where == where && g.kind == kind {
			return g
		}
	}
	g := &gap{group: group, where: where, kind: kind}
	b.gaps = append(b.gaps, g)
	return g
}

func (b *book) lost(group, where string, kind trouble, n int64, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.gap(group, where, kind)
	g.n, g.why = n, why
}

func (g *gap) add(at int64, why string) {
	g.n++
	if g.n == 1 {
		g.at, g.why = at, why
	}
}

// unseen says that there may be input messages that nobody here knows; the caller holds the lock.
func (b *book) unseen() bool {
	return b.older > 0 || slices.ContainsFunc(b.gaps, func(g *gap) bool {
		return g.group == "" && g.where == b.cfg.Input.Name && g.kind != repeated
	})
}

// incomplete says why a group's part may be more than what was told of it; "": it is all.
func (b *book) incomplete(group string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.gaps {
		switch {
		case g.group != group:
		case g.kind == nameless, g.kind == ownless, g.kind == missed, g.kind == tooMany, g.kind == waiting, g.kind == endless,
			g.kind == stranger, g.kind == keptBefore:
			return b.text(g)
		}
	}
	return ""
}

// text says it to people, with the remedy; the caller holds the lock.
func (b *book) text(g *gap) string {
	switch g.kind {
	case stranger:
		return b.strangerText(g)
	case keptBefore:
		return fmt.Sprintf("%s had rows before the run with the IDs of %d messages of this run, and no further ones (the first at position %d: "+
			"%q), so that whether they were processed is not known: begin with an empty one, or with IDs that were never used", g.where, g.n,
			g.at, g.why)
	}
	example := ""
	if g.at > 0 {
		example = fmt.Sprintf(" (the first at position %d", g.at)
		if g.why != "" {
			example += ": " + g.why
		}
		example += ")"
	} else if g.why != "" {
		example = " (" + g.why + ")"
	}
	return g.words(b.cfg, example)
}

func (b *book) strangerText(g *gap) string {
	where, topic := "the column, field or lines that observe.effect lists", b.cfg.Input.Name
	switch {
	case b.cfg.Output != nil && g.group == b.cfg.Output.Group:
		where = fmt.Sprintf("the ID expression %q of observe.output.id", b.cfg.Output.ID)
	case b.cfg.Effect == nil || g.group != b.cfg.Effect.Group:
		where = "the ID that your application posts"
	}
	if b.stats.input == 0 {
		return fmt.Sprintf("%s shows %d IDs (the first: %q), and topic %q got no message in the run: is observe.input.topic the one that your "+
			"application consumes?", g.where, g.n, g.why, topic)
	}
	return fmt.Sprintf("none of the %d IDs of %s (the first: %q) is one of the %d of topic %q (the first: %q): does %s give what the ID expression "+
		"%q of observe.input.id gives?", g.n, g.where, g.why, b.stats.input, topic, b.first, where, b.cfg.Input.ID)
}

func (g *gap) words(cfg Config, example string) string {
	expression, key := cfg.Input.ID, "observe.input.id"
	if cfg.Output != nil && g.group == cfg.Output.Group {
		expression, key = cfg.Output.ID, "observe.output.id"
	}
	switch g.kind {
	case nameless:
		if cfg.Effect != nil && g.group == cfg.Effect.Group {
			return fmt.Sprintf("%s has %d rows without an ID%s: let observe.effect list one for each", g.group, g.n, example)
		}
		return fmt.Sprintf("the ID expression %q gives no ID for %d messages of topic %q%s: say in %s where the ID of each is",
			expression, g.n, g.where, example, key)
	case repeated:
		return fmt.Sprintf("the ID expression %q gives %d messages of topic %q the ID of an earlier one%s: say in %s what tells all of them "+
			"apart, and have whoever sends them set a message ID, so that the broker stores a retry once", expression, g.n, g.where, example, key)
	case ownless:
		return fmt.Sprintf("the ID expression %q of observe.output.own gives no ID for %d messages of topic %q%s", cfg.Output.Own, g.n, g.where, example)
	case missed:
		return fmt.Sprintf("%d messages left topic %q before havoq could read them: let its stream keep more, or longer", g.n, g.where)
	case waiting:
		return fmt.Sprintf("%s tells of more than %d messages whose input was not seen: does %s give the ID that %s gives?", g.where, maxHeld,
			g.group, "observe.input.id")
	case orphaned:
		return fmt.Sprintf("%s tells of %d messages that havoq did not see in topic %q, of which it did not see all: whether they were sent "+
			"is not known", g.where, g.n, cfg.Input.Name)
	case endless, silent:
		return fmt.Sprintf("%s%s", g.where, example)
	default:
		return fmt.Sprintf("%s has more messages than havoq remembers, %d of them beyond%s: make the run shorter", g.where, g.n, example)
	}
}
