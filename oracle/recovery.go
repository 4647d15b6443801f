package oracle

import (
	"strings"
	"time"

	"github.com/havoqlab/havoq/history"
)

// phases follows the phases of the run, for what is normal: the phases named "baseline".
type phases struct {
	name  string
	base  bool // it is the baseline
	begun int64
	ended bool // the last one ended: from here on, only the drain

	baseTime int64   // in the baseline, without the current phase
	baseAcks int64   // confirmed sends in the baseline
	baseLag  float64 // highest lag in the baseline
}

const baseline = "baseline"

func (p *phases) begin(e *history.Event, fs *faults) {
	if p.name == baseline {
		p.baseTime += e.At - p.begun
	}
	p.name, p.base, p.begun = e.Name, e.Name == baseline, e.At
	p.ended = e.Name == ""
	// More load makes lag of its own: what it shows is no longer the recovery from a fault.
	if p.ended || strings.HasPrefix(e.Name, "load") {
		for _, f := range fs.list {
			f.lag.over = true
		}
	}
}

func (p *phases) acked() {
	if p.base {
		p.baseAcks++
	}
}

// lag reads a sample, and returns the lag that is normal.
func (p *phases) lag(e *history.Event) float64 {
	if p.name == baseline {
		p.baseLag = max(p.baseLag, e.Value)
	}
	perSecond := 0.0
	if p.baseTime > 0 {
		perSecond = float64(p.baseAcks) / time.Duration(p.baseTime).Seconds()
	}
	return NormalLag(p.baseLag, perSecond)
}

// NormalLag is the lag, in messages, up to which a group is back to normal: twice the highest lag of the baseline, a quarter of
// a second's worth of the baseline's confirmed sends, or 50, whichever is most. What was not measured is 0.
func NormalLag(baselineMax, baselineAcksPerSecond float64) float64 {
	return max(50, 2*baselineMax, 0.25*baselineAcksPerSecond)
}

// lagWatch follows the lag of each group after a fault began.
type lagWatch struct {
	over   bool  // what comes now is not this fault's any more
	last   int64 // when the last sample was
	groups map[string]*lagState
}

type lagState struct {
	was    bool  // it was above normal
	high   bool  // it is
	normal int64 // back since
}

// lag gives a sample to the faults whose recovery it can tell of.
func (fs *faults) lag(e *history.Event, normal float64) {
	for _, f := range fs.list {
		if !f.lag.over {
			f.lag.sample(e, normal)
		}
	}
}

func (l *lagWatch) sample(e *history.Event, normal float64) {
	l.last = e.At
	s := l.groups[e.Group]
	if s == nil {
		if len(l.groups) == maxGroups {
			return // such a history is unknown for its groups already
		}
		if l.groups == nil {
			l.groups = make(map[string]*lagState)
		}
		s = &lagState{}
		l.groups[e.Group] = s
	}
	switch high := e.Value > normal; {
	case high:
		s.was, s.high = true, true
	case s.high:
		s.high, s.normal = false, e.At
	}
}

// seconds is the time from begin until every group was back to normal for good; 0 if none ever left it, -1 if one is not back,
// or if nothing was measured.
func (l *lagWatch) seconds(begin int64) float64 {
	if len(l.groups) == 0 {
		return -1
	}
	var longest int64
	for _, s := range l.groups {
		switch {
		case s.high:
			return -1
		case s.was:
			longest = max(longest, s.normal-begin)
		}
	}
	return time.Duration(longest).Seconds()
}

// watched is how long after begin there were samples.
func (l *lagWatch) watched(begin int64) float64 {
	return time.Duration(max(0, l.last-begin)).Seconds()
}

// spans are the outages of one side.
type spans struct {
	list    []Window
	ongoing bool
}

// after is the longest time from the fault's act to the end of an outage that is its own; 0: it has none; -1: one has no end.
// An outage that began only later while the fault was in force counts from its own beginning: a quorum that is lost late, say.
func (s spans) after(own func(Window) bool, f *injected, settle time.Duration) float64 {
	longest := 0.0
	for i, w := range s.list {
		if !own(w) {
			continue
		}
		if s.ongoing && i == len(s.list)-1 {
			return -1
		}
		from := f.Begin
		if w.From > f.Begin+int64(settle) {
			from = w.From
		}
		longest = max(longest, time.Duration(w.To-from).Seconds())
	}
	return longest
}

// owner is the fault that an outage belongs to; nil: none. Of the faults that were in force, or had just been, it is the last
// one that began before the outage or so shortly after its beginning that it can be its cause, because the last success was
// before the act; or else the first one that began in it, which the outage may have been worsened by.
func (fs *faults) owner(w Window, settle time.Duration) *injected {
	var cause, worsened *injected
	for _, f := range fs.list {
		over := f.isGone && f.Gone+int64(settle) < w.From
		switch {
		case over || f.Begin >= w.To:
		case f.Begin <= w.From+outageFloor:
			cause = f
		case worsened == nil:
			worsened = f
		}
	}
	if cause != nil {
		return cause
	}
	return worsened
}

// recovery says how the system came back from each fault.
func (j *Judge) recovery(produce spans, consume []spans) []Recovery {
	all := make([]Recovery, 0, len(j.faults.list))
	for _, f := range j.faults.list {
		r := Recovery{Fault: f.Name, Failover: -1, Lag: f.lag.seconds(f.Begin), LagWatched: f.lag.watched(f.Begin)}
		if f.sent {
			r.Failover = produce.after(j.owns(f), f, j.config.SettleTime)
		}
		r.Consume = j.consumeAfter(f, consume)
		all = append(all, r)
	}
	return all
}

func (j *Judge) owns(f *injected) func(Window) bool {
	return func(w Window) bool { return j.faults.owner(w, j.config.SettleTime) == f }
}

// consumeAfter is the longest of the groups that read something; -1 if one of them got nothing and waited for nothing, or if
// there is none.
func (j *Judge) consumeAfter(f *injected, consume []spans) float64 {
	longest, known := 0.0, false
	for i, g := range j.list {
		switch {
		case len(g.streams) == 0:
		case f.awaited&(1<<g.number) == 0:
			return -1
		default:
			known = true
			longest = worse(longest, consume[i].after(j.owns(f), f, j.config.SettleTime))
		}
	}
	if !known {
		return -1
	}
	return longest
}

// worse is the longer of two times, of which a negative one never ended.
func worse(a, b float64) float64 {
	if a < 0 || b < 0 {
		return -1
	}
	return max(a, b)
}
