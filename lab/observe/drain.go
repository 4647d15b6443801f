package observe

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

const (
	drainPoll   = 200 * time.Millisecond
	drainFactor = 4               // how many limits a drain that gets on may take altogether
	settled     = 2 * time.Second // without anything new, where the broker says that the application has finished
)

// Drained says how a drain ended.
type Drained struct {
	Proven bool
	Left   int64 // messages that the application has not finished; -1: not known
	Took   time.Duration
	Reason string // what is known, or why it is not proven
}

// Cut ends what is judged: with the last message that is in the input topic now. It asks until ctx ends.
func (o *Observer) Cut(ctx context.Context) error {
	for {
		_, last, err := o.input.asker.Bounds(ctx)
		if err == nil {
			o.book.setCut(last)
			return nil
		}
		pause(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("observe: find the end of the input: %w: %w", context.Cause(ctx), err)
		}
	}
}

// Drain waits until the application has finished all messages up to the cut: the broker says twice that its group has, or, where
// that is not known, nothing new was seen for the grace. Then it looks a last time, and tells the end of each group's part.
//
// limit is how long it may make no progress; a drain that gets on may take four times as long. Whatever ends the wait, the answer
// is recorded.
func (o *Observer) Drain(ctx context.Context, limit time.Duration) Drained {
	began := time.Now()
	d := o.drain(ctx, limit)
	d.Took = time.Since(began)
	if o.drained.Swap(true) {
		return d
	}
	o.stop() // nothing is read behind this
	o.watchers.Wait()
	for _, t := range o.topics() {
		if n := t.missed.Load(); n > 0 {
			o.book.lost(o.groupOf(t), t.name, missed, n, "")
		}
	}
	doubts := o.byGrace(d)
	o.book.release()
	ends := o.ends(d, doubts)
	o.book.tellGaps()
	for _, e := range ends {
		o.cfg.Recorder.Record(e)
	}
	for _, group := range slices.Sorted(maps.Keys(doubts)) {
		d.Proven, d.Left, d.Reason = false, -1, doubts[group]
	}
	return d
}

// ends are what each group's drain came to.
func (o *Observer) ends(d Drained, doubts map[string]string) (all []history.Event) {
	add := func(group, why string) {
		why = cmp.Or(why, o.book.incomplete(group), doubts[group])
		e := history.Event{Kind: history.Drain, Group: group, Value: float64(d.Left), Detail: d.Reason}
		switch {
		case why != "":
			e.Value, e.Detail = -1, why
		case d.Proven:
			e.Outcome = queue.OK
		}
		all = append(all, e)
	}
	if out := o.cfg.Output; out != nil {
		why := ""
		if out.Relation == Filtered {
			why = "a message without an output may have been filtered, or lost: this topic does not tell"
		}
		add(out.Group, why)
	}
	if e := o.cfg.Effect; e != nil {
		add(e.Group, o.effect.absent())
	}
	if o.posts == nil {
		return all
	}
	names, why := o.posts.end()
	if len(names) == 0 {
		o.book.lost("", "nobody has posted to the collector", silent, 1, "does your application post to ${collect}?")
	}
	for _, name := range names {
		add(name, why[name])
	}
	return all
}

func (o *Observer) groupOf(t *topicReader) string {
	if t == o.output {
		return o.cfg.Output.Group
	}
	return ""
}

// drainer is what a drain has seen so far.
type drainer struct {
	o        *Observer
	left     int64 // last answer of the broker; -1: none
	lowest   int64
	finished int // how often in a row the broker said that all is finished
	progress time.Time
	why      string // what it waits for
}

func (o *Observer) drain(ctx context.Context, limit time.Duration) Drained {
	now := time.Now()
	limit = max(limit, o.cfg.Grace+settled) // or the grace could never pass
	d := &drainer{o: o, left: -1, lowest: -1, progress: now}
	end := now.Add(drainFactor * limit)
	for {
		if reason, ok := d.look(ctx); ok {
			return Drained{Proven: true, Reason: reason}
		}
		if news := o.book.lastNews(); news.After(d.progress) {
			d.progress = news
		}
		switch now = time.Now(); {
		case ctx.Err() != nil:
			return d.expired("it was cut short (" + context.Cause(ctx).Error() + ")")
		case now.Sub(d.progress) >= limit:
			return d.expired(fmt.Sprintf("no progress for %s", now.Sub(d.progress).Round(time.Second)))
		case !now.Before(end):
			return d.expired(fmt.Sprintf("it got on, but took longer than %s", drainFactor*limit))
		}
		select {
		case <-time.After(drainPoll):
		case <-ctx.Done():
		}
	}
}

func (d *drainer) expired(why string) Drained {
	parts := []string{why}
	if d.why != "" {
		parts = append(parts, d.why)
	}
	return Drained{Left: d.left, Reason: strings.Join(parts, "; ")}
}

// look asks everybody once: the readers, the broker, the clock and the listing.
func (d *drainer) look(ctx context.Context) (reason string, done bool) {
	o := d.o
	cut := o.book.cutAt()
	if cut == 0 {
		d.why = "the end of the input is not known"
		return "", false
	}
	if d.why = o.unread(ctx, o.input, cut); d.why != "" {
		return "", false
	}
	if !d.groupFinished(ctx, cut) {
		return "", false
	}
	if o.output != nil {
		if d.why = o.unread(ctx, o.output, 0); d.why != "" {
			return "", false
		}
	}
	quiet := o.cfg.Grace
	if o.cfg.Group != "" && o.book.lag() == 0 {
		quiet = min(quiet, settled)
	}
	if since := time.Since(o.book.lastNews()); since < quiet {
		d.why = fmt.Sprintf("something new was seen %s ago", since.Round(time.Millisecond))
		return "", false
	}
	return d.lastLook(ctx, quiet)
}

// unread says why a topic is not known to be read to its end.
func (o *Observer) unread(ctx context.Context, t *topicReader, upTo int64) string {
	switch left, err := t.behind(ctx, upTo); {
	case err != nil:
		return err.Error()
	case left > 0:
		return fmt.Sprintf("topic %q is not read to its end: %d positions are left", t.name, left)
	}
	return ""
}

func (d *drainer) groupFinished(ctx context.Context, cut int64) bool {
	if d.o.cfg.Group == "" {
		return true
	}
	left, err := d.o.input.asker.Unfinished(ctx, d.o.cfg.Group, cut)
	switch d.left = left; {
	case err != nil:
		d.finished, d.why = 0, err.Error()
	case left < 0:
		d.finished, d.why = 0, fmt.Sprintf("the broker cannot say how far %q is: it acks nothing", d.o.cfg.Group)
	case left > 0:
		d.finished, d.why = 0, fmt.Sprintf("the broker says that %q has up to %d messages left", d.o.cfg.Group, left)
		if d.lowest < 0 || left < d.lowest {
			d.lowest, d.progress = left, time.Now()
		}
	default:
		d.finished++
		d.why = ""
	}
	return d.finished >= 2
}

// lastLook lists once more when all else is quiet. What it finds begins the wait again.
func (d *drainer) lastLook(ctx context.Context, quiet time.Duration) (reason string, done bool) {
	o := d.o
	if o.effect != nil {
		before := o.book.lastNews()
		if err := o.effect.look(ctx); err != nil {
			d.why = o.cfg.Effect.Group + " could not be listed: " + err.Error()
			return "", false
		}
		if o.book.lastNews().After(before) {
			return "", false
		}
	}
	if o.cfg.Group == "" {
		return fmt.Sprintf("by grace alone: nothing new was seen for %s; observe.group, the application's consumer, would prove it", quiet), true
	}
	return fmt.Sprintf("the broker says twice that %q has finished all, and nothing new was seen for %s", o.cfg.Group, quiet), true
}

// lastNews is when something new was last seen.
func (b *book) lastNews() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.news
}

func (b *book) cutAt() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cut
}
