package history_test

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// script is a queue that does what a test tells it, step by step.
type script struct {
	queue.Queue
	sends  []*scriptSend // of the last Produce
	handed []queue.Delivery
}

// scriptSend is a message on its way.
type scriptSend struct {
	m      queue.Message
	number int
	done   func(queue.Result)
	offset int64 // where it is stored; -1: it is not
}

func (q *script) Producer(context.Context, string) (queue.Producer, error) {
	return scriptProducer{q}, nil
}

func (q *script) Consumer(context.Context, string, string) (queue.Consumer, error) {
	return scriptConsumer{q}, nil
}

func (*script) Caps() queue.Caps { return queue.Caps{ConfirmedSend: true, ConfirmedAck: true} }

type scriptProducer struct{ q *script }

func (p scriptProducer) Produce(_ context.Context, batch []queue.Message, done func(int, queue.Result)) {
	for i, m := range batch {
		p.q.sends = append(p.q.sends, &scriptSend{m: m, done: func(r queue.Result) { done(i, r) }, offset: -1})
	}
}
func (scriptProducer) Close(context.Context) error { return nil }

type scriptConsumer struct{ q *script }

func (c scriptConsumer) Receive(context.Context, int) ([]queue.Delivery, error) {
	ds := c.q.handed
	c.q.handed = nil
	return ds, nil
}
func (scriptConsumer) Settle(context.Context, queue.Settlement, []queue.Delivery) []error { return nil }
func (scriptConsumer) Close(context.Context) error                                        { return nil }

// stored is a message in the broker, as one group has it.
type stored struct {
	m      queue.Message
	offset int64
	held   []queue.Delivery // delivered, not settled yet
	done   bool
}

// model drives a Shadow over a script at random, as a queue may behave that does nothing wrong.
type model struct {
	t         *rapid.T
	shade     shade
	script    *script
	producers []queue.Producer
	consumers []queue.Consumer // one a group
	flying    []*scriptSend
	log       [][]*stored // by group
	retry     []*scriptSend
	next      int64
	retried   int64
	came      []map[queue.Outcome]bool // by message: what its sends came to
	lose      *stored                  // what the queue loses, for a test of that
}

func newModel(t *rapid.T, tb testing.TB, mode history.ShadowMode) *model {
	q := &script{Queue: memory.New(memory.Config{})}
	m := &model{t: t, script: q, shade: newShadow(tb, history.ShadowConfig{Mode: mode}, q)}
	for range 2 {
		p, err := m.shade.Producer(context.Background(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		m.producers = append(m.producers, p)
	}
	for i := range rapid.IntRange(1, 2).Draw(t, "groups") {
		c, err := m.shade.Consumer(context.Background(), "orders", fmt.Sprint("group-", i))
		if err != nil {
			t.Fatal(err)
		}
		m.consumers = append(m.consumers, c)
	}
	m.log = make([][]*stored, len(m.consumers))
	return m
}

// send hands a message over; the broker may store it long before it says so.
func (m *model) send(message queue.Message) {
	m.came = append(m.came, map[queue.Outcome]bool{})
	message.ID = fmt.Sprint("message ", len(m.came))
	m.attempt(message, len(m.came)-1)
}

func (m *model) attempt(message queue.Message, number int) {
	m.script.sends = nil
	p := m.producers[rapid.IntRange(0, len(m.producers)-1).Draw(m.t, "producer")]
	p.Produce(context.Background(), []queue.Message{message}, ignore)
	s := m.script.sends[0]
	s.number = number
	m.flying = append(m.flying, s)
}

func (m *model) store(s *scriptSend) {
	if s.offset >= 0 {
		return
	}
	s.offset = m.next
	m.next++
	for g := range m.log {
		m.log[g] = append(m.log[g], &stored{m: s.m, offset: s.offset})
	}
}

// resolve tells the result of a send.
func (m *model) resolve(i int, outcome queue.Outcome) {
	s := m.flying[i]
	m.flying = append(m.flying[:i], m.flying[i+1:]...)
	switch {
	case outcome == queue.OK:
		m.store(s)
		s.done(queue.Result{Offset: s.offset})
	case outcome == queue.Failed && s.offset < 0:
		s.done(queue.Result{Offset: -1, Err: queue.ErrRefused})
	default:
		outcome = queue.Unknown
		s.done(queue.Result{Offset: -1, Err: queue.ErrUnconfirmed})
	}
	m.came[s.number][outcome] = true
	if s.offset < 0 { // a retry of what is stored would store it twice
		m.retry = append(m.retry, s)
	}
}

// account is what was offered, and of that acked, failed and in doubt.
func (m *model) account() (a [4]int64) {
	for _, came := range m.came {
		a[0]++
		switch {
		case came[queue.OK]:
			a[1]++
		case came[queue.Unknown]:
			a[3]++
		default:
			a[2]++
		}
	}
	return a
}

// deliver hands a message to a group, also one that it holds.
func (m *model) deliver(g int, s *stored) {
	if s.done || s == m.lose {
		return
	}
	m.script.handed = []queue.Delivery{{Message: s.m, Topic: "orders", Group: fmt.Sprint("group-", g), Offset: s.offset}}
	ds, err := m.consumers[g].Receive(context.Background(), 1)
	if err != nil || len(ds) != 1 {
		m.t.Fatal(ds, err)
	}
	s.held = append(s.held, ds[0])
}

// finish works on a message that is held, and acks it; other deliveries of it are given back.
func (m *model) finish(g int, s *stored, which int) {
	if s.done || len(s.held) == 0 {
		return
	}
	d := s.held[which%len(s.held)]
	if err := m.shade.Processed(&d, "consumer"); err != nil {
		m.t.Fatal(err)
	}
	m.consumers[g].Settle(context.Background(), queue.Ack(), []queue.Delivery{d})
	s.done, s.held = true, nil
}

func (m *model) any(g int) *stored {
	if len(m.log[g]) == 0 {
		return nil
	}
	return m.log[g][rapid.IntRange(0, len(m.log[g])-1).Draw(m.t, "stored")]
}

func (m *model) steps(message func() queue.Message) {
	for range rapid.IntRange(1, 60).Draw(m.t, "steps") {
		g := rapid.IntRange(0, len(m.consumers)-1).Draw(m.t, "group")
		switch rapid.SampledFrom([]string{"send", "send", "retry", "store", "resolve", "deliver", "deliver", "finish", "nack"}).Draw(m.t, "step") {
		case "send":
			m.send(message())
		case "retry":
			if n := len(m.retry); n > 0 {
				s := m.retry[n-1]
				m.retry = m.retry[:n-1]
				m.retried++
				m.attempt(s.m, s.number)
			}
		case "store":
			if n := len(m.flying); n > 0 {
				m.store(m.flying[rapid.IntRange(0, n-1).Draw(m.t, "flying")])
			}
		case "resolve":
			if n := len(m.flying); n > 0 {
				m.resolve(rapid.IntRange(0, n-1).Draw(m.t, "flying"), rapid.SampledFrom([]queue.Outcome{queue.OK, queue.OK, queue.Unknown, queue.Failed}).Draw(m.t, "outcome"))
			}
		case "deliver":
			if s := m.any(g); s != nil {
				m.deliver(g, s)
			}
		case "finish":
			if s := m.any(g); s != nil {
				m.finish(g, s, rapid.IntRange(0, 3).Draw(m.t, "which"))
			}
		case "nack":
			if s := m.any(g); s != nil && len(s.held) > 0 {
				m.consumers[g].Settle(context.Background(), queue.Nack(0), s.held[:1])
			}
		}
	}
	for len(m.flying) > 0 {
		m.resolve(0, rapid.SampledFrom([]queue.Outcome{queue.OK, queue.Unknown, queue.Failed}).Draw(m.t, "outcome"))
	}
}

// end delivers and finishes all there is, and judges.
func (m *model) end(c oracle.Contract) oracle.Result {
	var groups []string
	for g, log := range m.log {
		groups = append(groups, fmt.Sprint("group-", g))
		for _, s := range log {
			if len(s.held) == 0 {
				m.deliver(g, s)
			}
			m.finish(g, s, 0)
		}
	}
	return m.shade.judge(c, groups...)
}

// letters are few, so that there are messages with the same content.
func letters(t *rapid.T) queue.Message {
	return queue.Message{Key: "k", Body: []byte(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "body"))}
}

// A queue that does nothing wrong is never accused, whatever it does in doubt, early, twice or out of order; and every send is
// accounted for.
func TestShadowAccusesNobody(t *testing.T) {
	for _, mode := range []history.ShadowMode{history.ByPosition, history.ByID, history.ByContent} {
		t.Run(mode.String(), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m, i := newModel(rt, t, mode), 0
				m.steps(func() queue.Message {
					i++
					if mode == history.ByID {
						return numbered(i)
					}
					return letters(rt)
				})
				r := m.end(oracle.Contract{Delivery: oracle.AtLeastOnce})
				got := found(r)
				if mode != history.ByContent {
					delete(got, oracle.Reordered) // the model is not in order, and these modes see it
				}
				if len(got) > 0 {
					rt.Fatalf("%v\n%s", got, tell(m.shade))
				}
				c := r.Counts
				want, counted := m.account(), [4]int64{c.Offered, c.Acked, c.Failed, c.InDoubt}
				if more := counted[0] - want[0]; mode == history.ByPosition && more <= m.retried {
					want[0] += more // a retry counted as a message of its own, see ShadowMode
					want[3] += more
				}
				if mode != history.ByID { // where one of two that are the same was refused, and nobody can say which: in doubt
					want[2], want[3] = counted[2], want[2]+want[3]-counted[2]
				}
				if want != counted || c.Offered != c.Acked+c.Failed+c.InDoubt {
					rt.Fatalf("offered, acked, failed, in doubt: %v, counted %v\n%s", want, counted, tell(m.shade))
				}
				if left := m.shade.Counts(); left.Unidentified != 0 || left.Strangers != 0 {
					rt.Fatalf("%+v\n%s", left, tell(m.shade))
				}
				if want[1] > 0 && c.Processed > 0 && len(r.Reasons) > 0 {
					rt.Fatalf("%v\n%s", r.Reasons, tell(m.shade))
				}
			})
		})
	}
}

// What a queue loses is found, as many as there are.
func TestShadowFindsEveryLoss(t *testing.T) {
	for _, mode := range []history.ShadowMode{history.ByPosition, history.ByID, history.ByContent} {
		t.Run(mode.String(), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m, i := newModel(rt, t, mode), 0
				m.send(numbered(100))
				m.store(m.flying[0])
				m.resolve(0, queue.OK)
				m.lose = m.log[0][0]
				m.steps(func() queue.Message {
					i++
					if mode == history.ByID {
						return numbered(i)
					}
					return letters(rt)
				})
				if r := m.end(oracle.Contract{}); r.Anomalies[oracle.Lost].Total != 1 || r.Counts.Lost != 1 {
					rt.Fatalf("%v\n%s", found(r), tell(m.shade))
				}
			})
		})
	}
}

func tell(s shade) string {
	var text string
	for e := range s.memory.Events() {
		text += fmt.Sprintf("%v %d/%d attempt %d %v %v group %q offset %d %s\n", e.Kind, e.Identity.Producer, e.Identity.Seq, e.Attempt, e.Outcome, e.Damage, e.Group, e.Offset, e.Detail)
	}
	return text
}
