package oracle

import (
	"iter"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// NewWithout returns a judge that leaves out the check of one anomaly.
func NewWithout(c Config, anomaly string) *Judge {
	c.without = anomaly
	return New(c)
}

// Promises lists the anomalies that have a check.
func Promises() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.anomaly)
	}
	return names
}

// CrashingCheck judges j by a check that panics.
func CrashingCheck(j *Judge) Check {
	c := check{Lost, forbids(Lost), func(*account) string { panic("planted") }}
	return c.judge(j.account())
}

// BlindSelfTest is the self-test of a judge that sees nothing of what is planted.
func BlindSelfTest(contract Contract, events func() iter.Seq[history.Event]) SelfTest {
	p := plan(contract, events())
	r := JudgeAll(contract, events)
	return p.compare(r, r)
}

// ForgetfulSelfTest is the self-test of a judge that never gets to see events of one kind.
func ForgetfulSelfTest(contract Contract, events func() iter.Seq[history.Event], kind history.Kind) SelfTest {
	p := plan(contract, events())
	planted := New(Config{Contract: contract})
	for e := range events() {
		p.feed(&e, func(e *history.Event) {
			if e.Kind != kind {
				planted.Observe(e)
			}
		})
	}
	return p.compare(JudgeAll(contract, events), planted.Result())
}

// Forget makes the judge forget the outcomes of a message, as a defect in its pages would.
func Forget(j *Judge, id queue.Identity) {
	m := &j.find(j.track(&id), id.Seq).sent[id.Seq&pageMask]
	m.flags &^= sentOK | sentFailed
}

// Squeeze gives up all pages that can be, as a judge without memory would.
func Squeeze(j *Judge) {
	for n := len(j.memory.queue) - j.memory.head; n > 0; n-- {
		j.giveUpOldest(true)
	}
}
