package oracle

import (
	"fmt"
	"iter"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// The anomalies that are planted and have no name of their own in a result.
const (
	plantTwice = "processed twice" // found as duplicated
	plantDoubt = "in doubt"        // no anomaly, and must not be taken for one
)

// RunSelfTest plants one anomaly of each kind into a copy of the events, and judges both. It asks for the events twice.
func RunSelfTest(contract Contract, events func() iter.Seq[history.Event]) SelfTest {
	_, test := judgeTwice(Config{Contract: contract}, events)
	return test
}

// JudgeAndTest is JudgeAll and RunSelfTest with the readings that they share.
func JudgeAndTest(config Config, events func() iter.Seq[history.Event]) (Result, SelfTest) {
	r, test := judgeTwice(config, events)
	if len(r.Witnesses) > 0 {
		r.AddLives(events())
	}
	return r, test
}

func judgeTwice(config Config, events func() iter.Seq[history.Event]) (Result, SelfTest) {
	p := plan(config.Contract, events())
	honest := New(config)
	config.Witnesses = -1
	planted := New(config)
	for e := range events() {
		honest.Observe(&e)
		p.feed(&e, planted.Observe)
	}
	r := honest.Result()
	return r, p.compare(r, planted.Result())
}

// planter changes a stream of events so that it shows the planted anomalies.
type planter struct {
	contract Contract
	group    string
	blind    bool     // no deliveries are seen
	kinds    []string // planted, in order
	skipped  []string // not planted, with the reason
	victims  map[queue.Identity]string
	again    *history.Event  // duplicated: its delivery, to come again
	held     *history.Event  // reordered: the delivery that is held back
	over     queue.Identity  // reordered: until this one is delivered
	done     map[string]bool // planted already: what comes later of the same message passes
	back     uint32          // reordered: the distance given to over; 0: it has its own
}

// plan chooses the victims.
func plan(contract Contract, events iter.Seq[history.Event]) *planter {
	n := &nursery{contract: contract}
	n.observe(events)
	p := &planter{contract: contract, group: n.group, victims: make(map[queue.Identity]string), done: make(map[string]bool)}
	if n.blind {
		p.blind = true
		p.skipped = append(p.skipped, "what shows only in deliveries: none are seen")
	} else if a, b, rekey := n.pair(); a != nil {
		p.plant(Reordered, a)
		p.over = b.id
		if rekey {
			p.back = uint32(b.id.Seq - a.id.Seq)
		}
	} else {
		p.skipped = append(p.skipped, Reordered+": no two messages that were sent one after the other's ack")
	}
	kinds := []string{Lost, Duplicated, plantTwice, Redelivered, Corrupted, Unexpected, FailedButDelivered, plantDoubt, Late}
	if n.blind {
		kinds = []string{Lost, plantTwice, Unexpected, plantDoubt}
	}
	for _, kind := range kinds {
		if kind == Late && contract.MaxDelay <= 0 {
			continue // nothing is late without a limit
		}
		fits := (*life).clean
		if kind == Duplicated {
			fits = (*life).settled
		}
		if l := n.choose(fits); l != nil {
			p.plant(kind, l)
		} else {
			p.skipped = append(p.skipped, kind+": no message early in the run that was sent, delivered, processed and acked once")
		}
	}
	return p
}

func (p *planter) plant(kind string, l *life) {
	p.kinds = append(p.kinds, kind)
	p.victims[l.id] = kind
}

// feed passes e on, changed where it is a victim's.
func (p *planter) feed(e *history.Event, emit func(*history.Event)) {
	kind, ok := p.victims[e.Identity]
	switch {
	case e.Identity == p.over && p.over != (queue.Identity{}) && (e.Kind == history.Invoke || e.Kind == history.Deliver):
		p.overtake(*e, emit)
	case !ok:
		emit(e)
	case e.Kind == history.Outcome, e.Kind == history.Invoke && e.Outcome != queue.Unknown:
		c := *e
		switch kind {
		case FailedButDelivered:
			c.Outcome = queue.Failed
		case plantDoubt:
			c.Outcome = queue.Unknown
		}
		emit(&c)
	case e.Kind == history.Deliver || e.Kind == history.Processed || e.Kind == history.Settle || e.Kind == history.DeadLetter:
		p.consume(kind, e, emit)
	default:
		emit(e)
	}
}

// overtake passes on what the overtaking message goes through, and after its delivery the one that was held back.
func (p *planter) overtake(e history.Event, emit func(*history.Event)) {
	if e.Kind == history.Invoke && p.back > 0 {
		e.Back = p.back
	}
	emit(&e)
	if e.Kind == history.Deliver && e.Group == p.group && p.held != nil {
		p.held.At = e.At
		emit(p.held)
		p.held = nil
	}
}

// consume passes on what a victim goes through on the consumer's side.
func (p *planter) consume(kind string, e *history.Event, emit func(*history.Event)) {
	if e.Group != p.group {
		// What is wrong with the send would show once for each group.
		if kind != FailedButDelivered && kind != plantDoubt {
			emit(e)
		}
		return
	}
	if kind == Lost {
		return
	}
	c := *e
	if p.done[kind] {
		emit(&c)
		return
	}
	deliver, processed := e.Kind == history.Deliver, e.Kind == history.Processed
	switch {
	case kind == Reordered && deliver:
		p.done[kind], p.held = true, &c
		return
	case kind == Corrupted && deliver:
		p.done[kind] = true
		c.Damage = history.CorruptPayload
	case kind == Late && deliver:
		p.done[kind] = true
		c.Intended = c.At - int64(p.contract.MaxDelay) - 1
	}
	emit(&c)
	switch {
	case kind == Redelivered && deliver, kind == plantTwice && processed:
		p.done[kind] = true
		emit(&c)
	case kind == Unexpected && processed:
		p.done[kind] = true
		if !p.blind {
			c.Kind = history.Deliver
		}
		c.Identity.Seq |= 1 << 40
		emit(&c)
	case kind == Duplicated && deliver:
		p.again = &c
	case kind == Duplicated && p.again != nil && e.Kind == history.Settle && e.Ack && e.Outcome == queue.OK:
		p.done[kind] = true
		p.again.At = e.At
		emit(p.again)
	}
}

// compare says which of the planted anomalies were found: those whose figure grew by exactly what was planted.
func (p *planter) compare(honest, planted Result) SelfTest {
	test := SelfTest{Planted: len(p.kinds), Skipped: p.skipped}
	grown := growth(honest, planted)
	want := make(map[string]int64)
	for _, kind := range p.kinds {
		want[figure(kind)]++
	}
	for _, kind := range p.kinds {
		if f := figure(kind); grown[f] == want[f] {
			test.Found++
		} else {
			test.Missed = append(test.Missed, fmt.Sprintf("%s: %d found of %d planted", kind, grown[f], want[f]))
		}
	}
	for _, name := range Names() {
		if want[name] == 0 && grown[name] != 0 {
			test.Planted++
			test.Missed = append(test.Missed, fmt.Sprintf("%s: %d found and none planted", name, grown[name]))
		}
	}
	if test.Planted > 0 && want[Corrupted] > 0 && planted.Verdict != Fail {
		test.Planted++
		test.Missed = append(test.Missed, "verdict: "+string(planted.Verdict)+" in spite of what was planted")
	}
	return test
}

// figure is where a planted anomaly shows.
func figure(kind string) string {
	if kind == plantTwice {
		return Duplicated
	}
	return kind
}

// growth is by how much the figures of the planted run exceed the honest one's.
func growth(honest, planted Result) map[string]int64 {
	grown := map[string]int64{plantDoubt: planted.Counts.InDoubt - honest.Counts.InDoubt}
	for _, name := range Names() {
		grown[name] = planted.Anomalies[name].Total - honest.Anomalies[name].Total
	}
	// Without a proven drain, what is missing is not lost yet, and must be noticed all the same.
	notice := func(r Result) int64 { return r.Counts.Unaccounted + r.Counts.Queued }
	grown[Lost] += notice(planted) - notice(honest)
	return grown
}
