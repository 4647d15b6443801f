package oracle_test

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// teller tells a judge events by hand, a nanosecond apart.
type teller struct {
	j  *oracle.Judge
	at int64
}

func tellTo(c oracle.Config) *teller { return &teller{j: oracle.New(c)} }

func (z *teller) tell(k history.Kind, seq uint64, change func(*history.Event)) {
	z.at++
	e := history.Event{Kind: k, At: z.at, Identity: queue.Identity{Run: 1, Producer: 1, Seq: seq}}
	if k != history.Invoke && k != history.Outcome && k != history.Reserve {
		e.Group = "g"
	}
	if change != nil {
		change(&e)
	}
	z.j.Observe(&e)
}

func (z *teller) send(seq uint64, intended int64) {
	z.tell(history.Invoke, seq, func(e *history.Event) { e.Intended = intended })
	z.tell(history.Outcome, seq, confirmedIn(0))
}

func (z *teller) get(seq uint64) {
	z.tell(history.Deliver, seq, nil)
	z.tell(history.Processed, seq, nil)
}

func (z *teller) result() oracle.Result {
	z.tell(history.Drain, 0, func(e *history.Event) { e.Outcome = queue.OK })
	z.tell(history.End, 0, nil)
	return z.j.Result()
}

func confirmedIn(partition int32) func(*history.Event) {
	return func(e *history.Event) { e.Partition, e.Outcome = partition, queue.OK }
}

func in(partition int32) func(*history.Event) {
	return func(e *history.Event) { e.Partition = partition }
}

// A message that was numbered early and sent late leaves a hole in its track, which is filled when all around it is settled.
func TestHoleIsFilledLate(t *testing.T) {
	z := tellTo(oracle.Config{Memory: 200_000})
	z.tell(history.Reserve, 0, func(e *history.Event) { e.Value = 8192 })
	z.send(5000, 0)
	z.get(5000)
	for s := range uint64(5000) {
		z.send(s, 0)
		z.get(s)
	}
	if r := z.result(); r.Verdict != oracle.Pass || r.Counts.Acked != 5001 || r.Counts.Processed != 5001 {
		t.Errorf("%s %q %+v", r.Verdict, r.Reasons, r.Counts)
	}
}

// Of a delivery that is told before its send, the order is not known, and the delay is.
func TestDeliveryToldBeforeItsSend(t *testing.T) {
	judge := func(c oracle.Contract) oracle.Result {
		z := tellTo(oracle.Config{Contract: c})
		for s := range uint64(3) {
			z.send(s, z.at)
			z.get(s)
		}
		z.send(3, z.at)
		z.at += 2000
		z.get(4) // overtakes 3, and comes 2000 late
		z.send(4, 10)
		z.at -= 2000
		z.get(3)
		return z.result()
	}
	r := judge(oracle.Contract{Order: oracle.OrderProducer})
	if r.Verdict != oracle.Unknown || !strings.Contains(strings.Join(r.Reasons, ""), "the order of 1 messages could not be judged") {
		t.Errorf("order: %s %q", r.Verdict, r.Reasons)
	}
	r = judge(oracle.Contract{MaxDelay: 1000})
	if r.Verdict != oracle.Fail || r.Anomalies[oracle.Late].Total != 1 {
		t.Errorf("delay: %s %q %+v", r.Verdict, r.Reasons, r.Anomalies[oracle.Late])
	}
}

// A copy of a message in another partition than that of its confirmation was promised no place there.
func TestCopyInAnotherPartition(t *testing.T) {
	z := tellTo(oracle.Config{Contract: oracle.Contract{Order: oracle.OrderPartition}})
	z.tell(history.Invoke, 0, nil)
	z.tell(history.Outcome, 0, nil) // in doubt: it lands late, in partition 2
	z.tell(history.Invoke, 0, func(e *history.Event) { e.Attempt = 2 })
	z.tell(history.Outcome, 0, confirmedIn(1))
	z.tell(history.Invoke, 1, nil)
	z.tell(history.Outcome, 1, confirmedIn(2))
	z.tell(history.Deliver, 1, in(2))
	z.tell(history.Processed, 1, nil)
	z.tell(history.Deliver, 0, in(2))
	z.tell(history.Processed, 0, nil)
	if r := z.result(); r.Verdict != oracle.Unknown || r.Anomalies[oracle.Reordered].Total != 0 {
		t.Errorf("%s %q %+v", r.Verdict, r.Reasons, r.Anomalies[oracle.Reordered])
	}
}

// What a source cannot see is not found in what it tells, either: a table is listed now and then, and nothing in it is late.
func TestBlindSourceAccusesNobody(t *testing.T) {
	judge := func(blind string) oracle.Result {
		z := tellTo(oracle.Config{Contract: oracle.Contract{MaxDelay: 1000}})
		z.tell(history.Source, 0, func(e *history.Event) { e.Name, e.Detail = "table", blind })
		z.tell(history.Invoke, 0, func(e *history.Event) { e.Intended, e.Outcome = 1, queue.OK })
		z.at += 2000
		z.tell(history.Processed, 0, nil)
		return z.result()
	}
	if r := judge(""); r.Verdict != oracle.Fail {
		t.Errorf("%s %q", r.Verdict, r.Reasons)
	}
	if r := judge(oracle.Late); r.Verdict != oracle.Unknown || r.Anomalies[oracle.Late].Total != 0 {
		t.Errorf("%s %q", r.Verdict, r.Reasons)
	}
}

func TestGapOfASource(t *testing.T) {
	z := tellTo(oracle.Config{})
	z.tell(history.Gap, 0, func(e *history.Event) { e.Name, e.Value = history.GapSource, 3 })
	if r := z.result(); !strings.Contains(strings.Join(r.Reasons, ""), "the history has 3 messages that a source could not tell, or missed") {
		t.Errorf("%q", r.Reasons)
	}
}
