package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// change is a queue that delivers one message otherwise than it was sent.
func change(id string, do func(*queue.Delivery)) func() *flaw {
	return func() *flaw {
		f := &flaw{}
		f.deliver = func(_ *flawedConsumer, d queue.Delivery) []queue.Delivery {
			if d.ID == id {
				f.struck++
				d.Body, d.Headers = slices.Clone(d.Body), slices.Clone(d.Headers)
				do(&d)
			}
			return []queue.Delivery{d}
		}
		return f
	}
}

func damagingDefects() []defect {
	usual := "sent, acked | delivered, processed, settled"
	return []defect{
		{
			name: "flips a bit of the payload", flaw: change("p1-5", func(d *queue.Delivery) { d.Body[3] ^= 4 }),
			forbids: atMostOnce, want: map[string]int64{oracle.Corrupted: 2}, allows: &damaged, victim: 5, life: usual, verb: "corrupt",
		},
		{
			name: "flips a bit of the envelope", flaw: change("p1-5", func(d *queue.Delivery) {
				for i := range d.Headers {
					text := []byte(d.Headers[i].Value)
					text[len(text)/2] ^= 1
					d.Headers[i].Value = string(text)
				}
			}),
			forbids: atLeastOnce, want: map[string]int64{oracle.Corrupted: 2, oracle.Lost: 2, "middle": 2}, allows: &damaged, // nobody knows which it was
		},
		{
			name: "truncates", flaw: change("p1-5", func(d *queue.Delivery) { d.Body = d.Body[:len(d.Body)/2] }),
			forbids: atMostOnce, want: map[string]int64{oracle.Corrupted: 2}, allows: &damaged, victim: 5, life: usual, verb: "corrupt",
		},
		{
			name: "changes a key", flaw: change("p1-5", func(d *queue.Delivery) { d.Key += "x" }),
			forbids: atMostOnce, want: map[string]int64{oracle.Corrupted: 2}, allows: &damaged, victim: 5, life: usual, verb: "corrupt",
		},
		{
			name: "mixes the bodies of two messages", flaw: func() *flaw {
				f := &flaw{}
				f.send = func(m queue.Message) ([]queue.Message, *queue.Result) {
					switch m.ID {
					case "p1-4":
						f.struck++
						m.Body = []byte("order 5 of p1")
					case "p1-5":
						m.Body = []byte("order 4 of p1")
					}
					return only(m), nil
				}
				return f
			},
			forbids: atMostOnce, want: map[string]int64{oracle.Corrupted: 4}, allows: &damaged, victim: 4, life: usual, verb: "corrupt",
		},
	}
}

// invent is a queue that delivers something else beside one message, made of it.
func invent(do func(*queue.Delivery)) func() *flaw {
	return func() *flaw {
		f := &flaw{}
		f.deliver = func(_ *flawedConsumer, d queue.Delivery) []queue.Delivery {
			if d.ID != "p1-5" {
				return []queue.Delivery{d}
			}
			f.struck++
			other := d
			other.ID = "another"
			do(&other)
			return []queue.Delivery{d, other}
		}
		return f
	}
}

// forge makes the envelope anew.
func forge(do func(*queue.Envelope)) func(*queue.Delivery) {
	return func(d *queue.Delivery) {
		e, err := queue.OpenEnvelope(&d.Message)
		if err != nil {
			panic(err)
		}
		do(&e)
		d.Message = queue.Seal(d.Message, e)
	}
}

func inventingDefects() []defect {
	return []defect{
		{
			name: "delivers a phantom", flaw: invent(forge(func(e *queue.Envelope) { e.Seq += 1000 })),
			forbids: atMostOnce, want: map[string]int64{oracle.Unexpected: 2}, allows: &shared, victim: 1005, life: " | delivered, processed, settled",
		},
		{
			name: "delivers a phantom of an unknown producer", flaw: invent(forge(func(e *queue.Envelope) { e.Producer, e.Seq = 99, 7 })),
			forbids: atMostOnce, want: map[string]int64{oracle.Unexpected: 2}, allows: &shared,
		},
		{
			name: "delivers a message of another run", flaw: invent(forge(func(e *queue.Envelope) { e.Run++ })),
			forbids: atMostOnce, want: map[string]int64{oracle.Unexpected: 2}, allows: &shared,
		},
		{
			name: "delivers what somebody else sent", flaw: invent(func(d *queue.Delivery) { d.Headers = nil }),
			forbids: atMostOnce, want: map[string]int64{oracle.Unexpected: 2}, allows: &shared,
		},
	}
}

// first says whether a group meets a message for the first time.
func first() func(group, id string) bool {
	met := map[string]bool{}
	return func(group, id string) bool {
		key := group + " " + id
		was := met[key]
		met[key] = true
		return !was
	}
}

func repeatingDefects() []defect {
	return []defect{
		{
			name: "delivers again after an ack", flaw: func() *flaw {
				f := &flaw{}
				f.acked = func(c *flawedConsumer, d queue.Delivery) {
					if d.ID == "p1-4" {
						f.struck++
						f.add(c.group, d)
					}
				}
				return f
			},
			forbids: exactlyOnce, want: map[string]int64{oracle.Duplicated: 2}, allows: &atLeastOnce,
			victim: 4, life: "sent, acked | delivered, processed, settled, delivered, settled", verb: "duplicate",
		},
		{
			name: "confirms an ack that it forgets", flaw: func() *flaw {
				f, fresh := &flaw{}, first()
				f.settle = func(c *flawedConsumer, how queue.Settlement, d queue.Delivery) (bool, error) {
					if d.ID != "p1-4" || !how.Ack || !fresh(c.group, d.ID) {
						return false, nil
					}
					f.struck++
					return true, nil
				}
				return f
			},
			forbids: exactlyOnce, want: map[string]int64{oracle.Duplicated: 2}, allows: &atLeastOnce,
			victim: 4, life: "sent, acked | delivered, processed, settled, delivered, settled", verb: "lose-ack",
		},
		{
			name: "delivers for ever", flaw: func() *flaw {
				f := &flaw{}
				f.settle = func(_ *flawedConsumer, _ queue.Settlement, d queue.Delivery) (bool, error) {
					return d.ID == "p1-4", queue.ErrStale
				}
				f.deliver = func(_ *flawedConsumer, d queue.Delivery) []queue.Delivery {
					if d.Attempt > 1 {
						f.struck++
					}
					return []queue.Delivery{d}
				}
				return f
			},
			// Nothing is wrong but that it never ends: the drain is not proven.
			forbids: exactlyOnce, perStrike: true, want: map[string]int64{oracle.Redelivered: 1}, verdict: oracle.Unknown,
			allows: &atLeastOnce, allowed: oracle.Unknown, victim: 4, life: "sent, acked | delivered, processed, settled (not confirmed), delivered, settled (not confirmed), delivered…",
		},
		{
			name: "brings back old messages after the drain", flaw: func() *flaw {
				f, asked := &flaw{}, map[string]int{}
				var old []queue.Delivery
				f.acked = func(c *flawedConsumer, d queue.Delivery) {
					if c.group == "work" && len(old) < 3 {
						old = append(old, d)
					}
				}
				f.empty = func(group string) {
					if asked[group]++; group != "work" || asked[group] != 3 {
						return
					}
					time.AfterFunc(time.Second, func() {
						f.mu.Lock()
						defer f.mu.Unlock()
						for _, d := range old {
							f.struck++
							f.add(group, d)
						}
					})
				}
				return f
			},
			forbids: exactlyOnce, want: map[string]int64{oracle.Duplicated: 3}, allows: &atLeastOnce, allowed: oracle.Unknown, // drained is disproved
			victim: 0, life: "sent, acked | delivered, processed, settled, delivered, settled",
		},
		{
			name: "delivers to a stale claim", trial: trial{members: 2}, flaw: func() *flaw {
				f := claims()
				f.acked = func(c *flawedConsumer, d queue.Delivery) {
					if d.ID == "p1-4" {
						f.struck++
						d.Claim = 3 - c.session // the other one
						f.add(fmt.Sprint(c.group, d.Claim), d)
					}
				}
				f.settle = func(_ *flawedConsumer, _ queue.Settlement, d queue.Delivery) (bool, error) {
					return d.Receipt == ghost{}, queue.ErrStale
				}
				return f
			},
			sound:   claims,
			forbids: exactlyOnce, want: map[string]int64{oracle.Redelivered: 2, oracle.Duplicated: 2}, // the other one works on it, too
			allows: &atLeastOnce, otherwise: map[string]int64{oracle.Redelivered: 2}, victim: 4, life: "sent, acked | delivered, processed, settled, delivered, processed, settled (not confirmed)",
		},
	}
}

// claims is a queue whose deliveries name the session that they were made to, and whose acks hold only there.
func claims() *flaw {
	f := &flaw{}
	f.deliver = func(c *flawedConsumer, d queue.Delivery) []queue.Delivery {
		d.Claim = c.session
		return []queue.Delivery{d}
	}
	return f
}

func groupDefects() []defect {
	handOver := func(_ string, d *queue.Delivery) deed {
		if d.ID == "p1-4" && d.Attempt == 1 {
			return dies
		}
		return works
	}
	slow := trial{work: handOver, pause: 5 * time.Millisecond, busy: 20 * time.Millisecond}
	forgets := func(f *flaw) *flaw {
		f.left = func(_ *flawedConsumer, held []queue.Delivery) []queue.Delivery {
			f.struck += int64(len(held))
			return held
		}
		return f
	}
	return []defect{
		{
			name: "loses what was in hand when a consumer ends", trial: slow, flaw: func() *flaw { return forgets(&flaw{}) },
			forbids: atLeastOnce, perStrike: true, want: map[string]int64{oracle.Lost: 1}, allows: &atMostOnce, victim: 4, life: "sent, acked | delivered",
		},
		{
			name: "takes a delivery for an ack", trial: slow, flaw: func() *flaw {
				f := forgets(&flaw{})
				f.deliver = func(c *flawedConsumer, d queue.Delivery) []queue.Delivery {
					c.Consumer.Settle(context.Background(), queue.Ack(), []queue.Delivery{d})
					return []queue.Delivery{d}
				}
				f.settle = func(*flawedConsumer, queue.Settlement, queue.Delivery) (bool, error) { return true, nil }
				return f
			},
			forbids: atLeastOnce, perStrike: true, want: map[string]int64{oracle.Lost: 1}, allows: &atMostOnce, victim: 4, life: "sent, acked | delivered",
		},
		{
			name: "gives one group's message to another", flaw: func() *flaw {
				f := &flaw{}
				f.deliver = func(c *flawedConsumer, d queue.Delivery) []queue.Delivery {
					if c.group == "audit" && d.ID == "p1-4" {
						return nil
					}
					return []queue.Delivery{d}
				}
				f.acked = func(c *flawedConsumer, d queue.Delivery) {
					if c.group == "work" && d.ID == "p1-4" {
						f.struck++
						f.add(c.group, d)
					}
				}
				return f
			},
			forbids: exactlyOnce, want: map[string]int64{oracle.Lost: 1, "middle": 1, oracle.Duplicated: 1}, victim: 4, life: "sent, acked | delivered, processed, settled, delivered, settled",
		},
		{
			name: "forgets a producer for one group", flaw: func() *flaw {
				f := &flaw{}
				f.deliver = func(c *flawedConsumer, d queue.Delivery) []queue.Delivery {
					if c.group == "audit" && strings.HasPrefix(d.ID, "p1-") {
						f.struck++
						return nil
					}
					return []queue.Delivery{d}
				}
				return f
			},
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 12, "tail": 12}, allows: &atMostOnce, victim: 0, life: "sent, acked | ",
		},
		{
			name: "begins a late group at the end", trial: trial{keep: true, late: "search"}, flaw: func() *flaw {
				f := &flaw{}
				f.deliver = func(c *flawedConsumer, d queue.Delivery) []queue.Delivery {
					if c.group == "search" && d.Offset < 20 {
						f.struck++
						return nil
					}
					return []queue.Delivery{d}
				}
				return f
			},
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 20, "prefix": 20}, allows: &atMostOnce, victim: 0, life: "sent, acked | ",
		},
		{
			name: "drops what is given back too often", trial: trial{work: func(_ string, d *queue.Delivery) deed {
				if d.ID == "p1-4" && d.Attempt < 3 {
					return givesBack
				}
				return works
			}},
			flaw: func() *flaw {
				f := &flaw{}
				f.settle = func(c *flawedConsumer, how queue.Settlement, d queue.Delivery) (bool, error) {
					if how.Ack || d.Attempt < 2 {
						return false, nil
					}
					f.struck++
					return true, errors.Join(c.Consumer.Settle(context.Background(), queue.Ack(), []queue.Delivery{d})...)
				}
				return f
			},
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 2, "middle": 2, oracle.Redelivered: 2}, allows: &atMostOnce,
			victim: 4, life: "sent, acked | delivered, given back, delivered, given back",
		},
	}
}

func applicationDefects() []defect {
	does := func(what deed) func(*trial) {
		return func(l *trial) {
			l.work = func(_ string, d *queue.Delivery) deed {
				if d.ID == "p1-4" {
					return what
				}
				return works
			}
		}
	}
	return []defect{
		{
			name: "the application works twice", app: does(worksTwice),
			forbids: exactlyOnce, want: map[string]int64{oracle.Duplicated: 2}, allows: &atLeastOnce, victim: 4, life: "sent, acked | delivered, processed, processed, settled",
		},
		{
			name: "the application acks without working", app: does(shirks),
			forbids: atLeastOnce, want: map[string]int64{oracle.Lost: 2, "middle": 2}, allows: &atMostOnce, victim: 4, life: "sent, acked | delivered, settled",
		},
		{
			name: "the application works again after a crash",
			trial: trial{work: func(_ string, d *queue.Delivery) deed {
				if d.ID == "p1-4" && d.Attempt == 1 {
					return worksAndDies
				}
				return works
			}},
			app:     func(l *trial) { l.careless = true },
			forbids: exactlyOnce, want: map[string]int64{oracle.Duplicated: 2, oracle.Redelivered: 2},
			allows: &atLeastOnce, otherwise: map[string]int64{oracle.Redelivered: 2}, victim: 4, life: "sent, acked | delivered, processed, delivered, processed, settled",
		},
	}
}
