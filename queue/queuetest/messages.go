package queuetest

import (
	"bytes"
	"slices"
	"time"

	"github.com/havoqlab/havoq/queue"
)

func roundTrip(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(100)
	e.send(p, ms...)
	got := e.collectOnly(c, group, ms)
	for _, d := range got {
		if want := min(1, int(e.caps.Attempts)); d.Attempt != want {
			e.Fatalf("first delivery of %s has Attempt %d, want %d", d.ID, d.Attempt, want)
		}
	}
}

func maxIsBound(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(30)
	e.send(p, ms...)
	in := e.inbox(group, ms)
	for _, max := range []int{1, 3, 1, 7, 2} {
		ds := e.receiveFor(c, max, in) // checks max
		in.take(ds)
		e.ack(c, ds...)
	}
	for !in.complete() {
		ds := e.receiveFor(c, 4, in)
		in.take(ds)
		e.ack(c, ds...)
	}
}

func emptyBody(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(2)
	ms[0].Body, ms[1].Body = nil, []byte{}
	e.send(p, ms...)
	e.collectOnly(c, group, ms)
}

// headerMessages have headers that drivers and protocols mangle: repeated, empty, with colons and spaces, not ASCII.
func headerMessages(e *env) []queue.Message {
	ms := e.messages(3)
	ms[0].Headers = []queue.Header{
		{Key: "Zone", Value: "eu"}, {Key: "X-Step", Value: "1"}, {Key: "Alpha", Value: "a"}, {Key: "X-Step", Value: "2"},
		{Key: "X-Step", Value: "1"}, {Key: "lower-case", Value: "x"}, {Key: "UPPER", Value: "y"},
	}
	ms[1].Headers = []queue.Header{
		{Key: "Greeting", Value: "grüße, 世界 🐇"}, {Key: "Empty", Value: ""}, {Key: "Url", Value: "https://example.com:80/?q=a b&c=%20"},
		{Key: "Quoted", Value: `"a", 'b' \ c; d=e`},
	}
	ms[1].Key = "schlüssel/世界"
	ms[1].Body = []byte("grüße, 世界 🐇")
	ms[2] = queue.Seal(ms[2], queue.Envelope{Identity: queue.Identity{Run: 1}, SentAt: time.Unix(1, 0)})
	return ms
}

func headers(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := headerMessages(e)
	e.send(p, ms...)
	e.collectOnly(c, group, ms)
}

func headerOrder(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := headerMessages(e)
	e.send(p, ms...)
	for _, d := range e.collect(c, group, ms) {
		i := slices.IndexFunc(ms, func(m queue.Message) bool { return m.ID == d.ID })
		if !slices.Equal(d.Headers, ms[i].Headers) {
			e.Errorf("delivered headers %q, want %q", d.Headers, ms[i].Headers)
		}
	}
}

// body returns n bytes that hold every byte value.
func body(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

func largeBody(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(3)
	ms[0].Body, ms[1].Body, ms[2].Body = body(256), body(e.h.MaxBody/2), body(e.h.MaxBody)
	for _, m := range ms {
		e.send(p, m)
	}
	e.collectOnly(c, group, ms)
}

func tooLarge(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(3)
	ms[1].Body = body(e.caps.MaxBody + 1)
	rs := e.produce(e.ctx, p, ms).wait(e)
	for i, r := range rs {
		want := queue.OK
		if i == 1 {
			want = queue.Failed
		}
		if got := queue.OutcomeOf(r.Err); got != want {
			e.Errorf("message %d of %d, with a body of %d bytes: outcome %v (%v), want %v", i, len(ms), len(ms[i].Body), got, r.Err, want)
		}
	}
	e.collectOnly(c, group, []queue.Message{ms[0], ms[2]})
}

// withoutID: messages without an ID are never taken for copies of each other.
func withoutID(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(5)
	for i := range ms {
		ms[i].ID, ms[i].Body = "", []byte("the same")
	}
	for i, r := range e.send(p, ms...) {
		if r.Duplicate {
			e.Errorf("message %d has no ID, and was taken for a duplicate", i)
		}
	}
	ds := e.gather(c, len(ms))
	e.ack(c, ds...)
	for _, d := range ds {
		if d.ID != "" {
			e.Errorf("delivered ID %q, sent none", d.ID)
		}
	}
	e.nothing(c, e.short(), "all was received and acked")
}

func timestamp(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(2)
	ms[0].Timestamp = time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	before := time.Now()
	e.send(p, ms...)
	for _, d := range e.collect(c, group, ms) {
		switch {
		case d.ID == ms[0].ID && !d.Timestamp.Truncate(time.Millisecond).Equal(ms[0].Timestamp):
			e.Errorf("delivered timestamp %v, want %v", d.Timestamp, ms[0].Timestamp)
		case d.ID == ms[1].ID && (d.Timestamp.Before(before.Add(-time.Minute)) || d.Timestamp.After(time.Now().Add(time.Minute))):
			e.Errorf("sent without a timestamp at %v, delivered with %v: it must be the time of the call", before, d.Timestamp)
		}
	}
}

// batchIsLent: after done, the batch, its bodies and its headers are the caller's again.
func batchIsLent(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(20)
	want := make([]queue.Message, len(ms))
	for i := range ms {
		ms[i].Headers = []queue.Header{{Key: "N", Value: "before"}}
		want[i] = ms[i]
		want[i].Body, want[i].Headers = bytes.Clone(ms[i].Body), slices.Clone(ms[i].Headers)
	}
	e.send(p, ms...)
	for i := range ms {
		clear(ms[i].Body)
		ms[i].Headers[0].Value = "after"
	}
	clear(ms)
	e.collectOnly(c, group, want)
}

func notBefore(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(2)
	delay := 400 * time.Millisecond
	if e.caps.Delay > 0 {
		delay = min(delay, e.caps.Delay)
	}
	due := time.Now().Add(delay)
	ms[0].NotBefore = due
	rs := e.produce(e.ctx, p, ms).wait(e)
	if e.caps.Delay == 0 {
		if got := queue.OutcomeOf(rs[0].Err); got != queue.Failed {
			e.Errorf("Caps.Delay is 0, and a message with NotBefore has the outcome %v (%v), want failed", got, rs[0].Err)
		}
		e.collectOnly(c, group, ms[1:])
		return
	}
	in := e.inbox(group, ms)
	for !in.complete() {
		ds := e.receiveFor(c, 2, in)
		for _, d := range ds {
			if early := time.Until(due); d.ID == ms[0].ID && early > clockStep {
				e.Errorf("message with NotBefore was delivered %v early", early)
			}
		}
		in.take(ds)
		e.ack(c, ds...)
	}
	for i, r := range rs {
		if r.Err != nil {
			e.Errorf("send of message %d of 2: %v", i, r.Err)
		}
	}
}

// clockStep is how much a broker may round a time.
const clockStep = 2 * time.Millisecond

func dedup(e *env) {
	c, p := e.consumer(group), e.producer()
	ms := e.messages(3)
	first := e.send(p, ms...)
	second := e.send(p, ms...)
	for i := range ms {
		if first[i].Duplicate || !second[i].Duplicate {
			e.Errorf("message %d sent twice: Result.Duplicate is %v and %v, want false and true", i, first[i].Duplicate, second[i].Duplicate)
		}
	}
	e.collectOnly(c, group, ms)
}
