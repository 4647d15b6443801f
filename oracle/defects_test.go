package oracle_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// defect is a queue or an application with one bug, and what must be found of it.
type defect struct {
	name  string
	trial trial
	app   func(*trial) // the application's bug
	flaw  func() *flaw // the queue's
	// sound is the queue without the bug, where that is not the plain one.
	sound func() *flaw

	forbids oracle.Contract
	want    map[string]int64 // anomalies, and "prefix", "middle", "tail"; all others are 0
	// perStrike: want is for each time that the bug struck.
	perStrike bool
	verdict   oracle.Verdict // under forbids. "": fail

	allows  *oracle.Contract // nil: no contract does
	allowed oracle.Verdict   // under allows. "": pass
	// else is want under allows, where the contract decides what is an anomaly.
	otherwise map[string]int64

	victim uint64 // its number, of p1
	life   string // what became of its sends | what its group got; with … at its end: and so on. "": it is not looked at
	verb   string // what a fault is called that may do this; "": none may
}

var (
	atLeastOnce = oracle.Contract{Delivery: oracle.AtLeastOnce}
	atMostOnce  = oracle.Contract{Delivery: oracle.AtMostOnce}
	exactlyOnce = oracle.Contract{Delivery: oracle.ExactlyOnce}
	keyed       = oracle.Contract{Delivery: oracle.AtLeastOnce, Order: oracle.OrderKey}
	straight    = oracle.Contract{Delivery: oracle.AtLeastOnce, Order: oracle.OrderProducer}
	prompt      = oracle.Contract{Delivery: oracle.AtLeastOnce, MaxDelay: time.Second}
	// What every contract forbids that does not allow it.
	damaged  = oracle.Contract{Delivery: oracle.AtMostOnce, Allow: []string{oracle.Corrupted}}
	shared   = oracle.Contract{Delivery: oracle.AtMostOnce, Allow: []string{oracle.Unexpected}}
	stubborn = oracle.Contract{Delivery: oracle.AtMostOnce, Allow: []string{oracle.FailedButDelivered}}
)

func defects() []defect {
	return slices.Concat(storingDefects(), answeringDefects(), orderDefects(), damagingDefects(), inventingDefects(),
		repeatingDefects(), groupDefects(), applicationDefects())
}

func ok() *queue.Result { return &queue.Result{} }

func only(m queue.Message) []queue.Message { return []queue.Message{m} }

// at is a send function for one message; the others are stored.
func at(id string, do func(queue.Message) ([]queue.Message, *queue.Result)) func(queue.Message) ([]queue.Message, *queue.Result) {
	return func(m queue.Message) ([]queue.Message, *queue.Result) {
		if m.ID == id {
			return do(m)
		}
		return only(m), nil
	}
}

// lazy acks at once and stores by four. crash: what is not stored when that message comes is gone; flush: an end stores the rest.
func lazy(crash string, flush bool) func() *flaw {
	return func() *flaw {
		f := &flaw{}
		var buffer []queue.Message
		f.send = func(m queue.Message) (store []queue.Message, _ *queue.Result) {
			if m.ID == crash {
				f.struck, buffer = int64(len(buffer)), nil
			}
			if buffer = append(buffer, m); len(buffer) == 4 {
				store, buffer = buffer, nil
			}
			return store, ok()
		}
		f.close = func() []queue.Message {
			if flush {
				return buffer
			}
			f.struck += int64(len(buffer))
			return nil
		}
		return f
	}
}

func storingDefects() []defect {
	return []defect{
		{
			name: "drops the third", flaw: func() *flaw {
				f := &flaw{}
				f.send = at("p1-2", func(queue.Message) ([]queue.Message, *queue.Result) { f.struck++; return nil, ok() })
				return f
			},
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 2, "middle": 2}, allows: &atMostOnce,
			victim: 2, life: "sent, acked | ", verb: "lose",
		},
		{
			name: "drops one in a thousand", trial: trial{producers: 1, messages: 2000, batch: 20}, flaw: func() *flaw {
				f, n := &flaw{}, 0
				f.send = func(m queue.Message) ([]queue.Message, *queue.Result) {
					if n++; n%1000 == 0 {
						f.struck++
						return nil, ok()
					}
					return only(m), nil
				}
				return f
			},
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 4, "middle": 2, "tail": 2}, allows: &atMostOnce, victim: 999, life: "sent, acked | ",
		},
		{
			name: "acks before it stores, and crashes", trial: trial{producers: 1}, flaw: lazy("p1-6", true),
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 4, "middle": 4}, allows: &atMostOnce, victim: 4, life: "sent, acked | ",
		},
		{
			name: "drops the tail when it ends", trial: trial{producers: 1, messages: 14}, flaw: lazy("", false),
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 4, "tail": 4}, allows: &atMostOnce, victim: 12, life: "sent, acked | ",
		},
		{
			name: "says ok to what it has no room for", trial: trial{room: 5, pause: 5 * time.Millisecond, busy: 20 * time.Millisecond},
			flaw: func() *flaw {
				f := &flaw{}
				f.answer = func(_ queue.Message, r queue.Result) queue.Result {
					if r.Err != nil {
						f.struck++
						r.Err = nil
					}
					return r
				}
				return f
			},
			forbids: atLeastOnce, perStrike: true, want: map[string]int64{oracle.Lost: 2}, allows: &atMostOnce, victim: 3, life: "sent, acked | ",
		},
		{
			name: "stores twice", flaw: func() *flaw {
				f := &flaw{}
				f.send = at("p1-3", func(m queue.Message) ([]queue.Message, *queue.Result) { f.struck++; return []queue.Message{m, m}, nil })
				return f
			},
			// Before the first ack it is a redelivery for all that a client sees, and its effect is there once.
			forbids: exactlyOnce, want: map[string]int64{oracle.Redelivered: 2}, verdict: oracle.Pass, allows: &atLeastOnce,
			victim: 3, life: "sent, acked | delivered, delivered, processed, settled, settled", verb: "duplicate",
		},
	}
}

func answeringDefects() []defect {
	lostReply := func(m queue.Message) ([]queue.Message, *queue.Result) {
		return only(m), &queue.Result{Err: fmt.Errorf("no answer: %w", queue.ErrUnconfirmed)}
	}
	// twice answers the first send of one message by first, the next by second.
	twice := func(first, second func(queue.Message) ([]queue.Message, *queue.Result)) func() *flaw {
		return func() *flaw {
			f := &flaw{}
			f.send = at("p1-3", func(m queue.Message) ([]queue.Message, *queue.Result) {
				if f.struck++; f.struck == 1 {
					return first(m)
				}
				return second(m)
			})
			return f
		}
	}
	normal := func(m queue.Message) ([]queue.Message, *queue.Result) { return only(m), nil }
	return []defect{
		{
			name: "says failed and stores it", flaw: func() *flaw {
				f := &flaw{}
				f.send = at("p1-3", func(m queue.Message) ([]queue.Message, *queue.Result) {
					f.struck++
					return only(m), &queue.Result{Err: fmt.Errorf("no room: %w", queue.ErrRefused)}
				})
				return f
			},
			forbids: atMostOnce, want: map[string]int64{oracle.FailedButDelivered: 2}, allows: &stubborn, victim: 3, life: "sent, failed | delivered, processed, settled",
		},
		{
			name: "stores a retry again", trial: trial{dedup: true}, app: func(l *trial) { l.dedup = false },
			flaw: twice(lostReply, normal), sound: twice(lostReply, normal),
			forbids: exactlyOnce, want: map[string]int64{oracle.Duplicated: 2}, allows: &atLeastOnce,
			victim: 3, life: "sent, in doubt, sent, acked | delivered, processed, settled, delivered, settled", verb: "lose-reply",
		},
		{
			name: "says duplicate to what it never stored", trial: trial{dedup: true},
			flaw: twice(
				func(queue.Message) ([]queue.Message, *queue.Result) {
					return nil, &queue.Result{Err: queue.ErrUnconfirmed}
				},
				func(queue.Message) ([]queue.Message, *queue.Result) { return nil, &queue.Result{Duplicate: true} }),
			sound:   twice(lostReply, normal),
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 2, "middle": 2}, allows: &atMostOnce, victim: 3, life: "sent, in doubt, sent, acked | ",
		},
	}
}

// swap stores one message after the next one of its producer.
func swap() *flaw {
	f := &flaw{}
	var held queue.Message
	f.send = func(m queue.Message) ([]queue.Message, *queue.Result) {
		switch m.ID {
		case "p1-4":
			held = m
			return nil, ok()
		case "p1-5":
			f.struck++
			return []queue.Message{m, held}, nil
		default:
			return only(m), nil
		}
	}
	return f
}

func orderDefects() []defect {
	overtaken := "sent, acked | delivered, processed, settled"
	return []defect{
		{
			name: "swaps neighbours of a key", flaw: swap,
			forbids: keyed, want: map[string]int64{oracle.Reordered: 2}, allows: &exactlyOnce, victim: 4, life: overtaken, verb: "reorder",
		},
		{
			name: "reorders across keys", trial: trial{keys: 2}, flaw: swap,
			forbids: straight, want: map[string]int64{oracle.Reordered: 2}, allows: &keyed, otherwise: map[string]int64{},
			victim: 4, life: overtaken,
		},
		{
			name: "delivers a batch backwards", trial: trial{producers: 1, pause: 5 * time.Millisecond, busy: 20 * time.Millisecond},
			flaw: func() *flaw {
				f := &flaw{}
				f.batch = func(ds []queue.Delivery) {
					f.struck += int64(max(0, len(ds)-1))
					slices.Reverse(ds)
				}
				return f
			},
			forbids: keyed, perStrike: true, want: map[string]int64{oracle.Reordered: 1}, allows: &atLeastOnce, victim: 2, life: overtaken,
		},
		{
			name: "delivers late", flaw: func() *flaw {
				f := &flaw{}
				f.send = at("p1-11", func(m queue.Message) ([]queue.Message, *queue.Result) {
					f.struck++
					m.NotBefore = time.Now().Add(10 * time.Second)
					return only(m), nil
				})
				return f
			},
			forbids: prompt, want: map[string]int64{oracle.Late: 2}, allows: &keyed, otherwise: map[string]int64{},
			victim: 11, life: overtaken, verb: "delay",
		},
	}
}
