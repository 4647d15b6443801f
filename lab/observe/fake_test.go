package observe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/observe"
	"github.com/havoqlab/havoq/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker is a queue.Readable of topics that only grow, and one group whose work is told by the test.
type broker struct {
	mu      sync.Mutex
	topics  map[string][]queue.Delivery // nil: not there
	changed chan struct{}
	left    int64 // of the group; -1: cannot say
	asked   error // what Unfinished says
	down    error // what everything says
	missed  map[string]int64
}

func newBroker(topics ...string) *broker {
	b := &broker{topics: map[string][]queue.Delivery{}, missed: map[string]int64{}, changed: make(chan struct{})}
	for _, t := range topics {
		b.topics[t] = []queue.Delivery{}
	}
	return b
}

// send appends messages whose header "id" and body are these.
func (b *broker) send(topic string, ids ...string) { b.sendAt(time.Now(), topic, ids...) }

func (b *broker) sendAt(at time.Time, topic string, ids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		d := queue.Delivery{Topic: topic, Offset: int64(len(b.topics[topic]) + 1)}
		d.Timestamp, d.Body = at, []byte(id)
		if name, own, two := strings.Cut(id, "/"); name != "" {
			d.Headers = []queue.Header{{Key: "id", Value: name}}
			if two {
				d.Headers = append(d.Headers, queue.Header{Key: "own", Value: own})
			}
		}
		b.topics[topic] = append(b.topics[topic], d)
	}
	b.wake()
}

func (b *broker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *broker) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	b.wake()
}

// gone says that messages have left a topic unread.
func (b *broker) gone(topic string, n int64) { b.set(func() { b.missed[topic] += n }) }

func (b *broker) Reader(_ context.Context, topic string) (queue.Reader, error) {
	return &reader{b: b, topic: topic, next: 1}, nil
}

type reader struct {
	b     *broker
	topic string
	next  int64
}

func (r *reader) Bounds(context.Context) (first, last int64, err error) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	ds := r.b.topics[r.topic]
	switch {
	case r.b.down != nil:
		return 0, 0, r.b.down
	case ds == nil:
		return 0, 0, fmt.Errorf("fake: %q: %w", r.topic, queue.ErrNoTopic)
	}
	return 1, int64(len(ds)), nil
}

func (r *reader) StartAt(position int64) { r.next = max(position, 1) }

func (r *reader) Receive(ctx context.Context, most int) ([]queue.Delivery, error) {
	for {
		r.b.mu.Lock()
		ds, changed, down := r.b.topics[r.topic], r.b.changed, r.b.down
		r.b.mu.Unlock()
		if down != nil {
			return nil, down
		}
		if int(r.next) <= len(ds) {
			out := ds[r.next-1:]
			out = slices.Clone(out[:min(len(out), most)])
			r.next += int64(len(out))
			return out, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *reader) Missed() int64 {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return r.b.missed[r.topic]
}

func (r *reader) Unfinished(context.Context, string, int64) (int64, error) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return r.b.left, r.b.asked
}

func (r *reader) Close(context.Context) error { return nil }

// table is a Lister of IDs that the test writes.
type table struct {
	mu  sync.Mutex
	ids []string
	err error
}

func (t *table) add(ids ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ids = append(t.ids, ids...)
}

func (t *table) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

func (t *table) List(_ context.Context, found func(string) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	for _, id := range t.ids {
		if err := found(id); err != nil {
			return err
		}
	}
	return nil
}

// trial is an Observer in a bubble, and what it has told.
type trial struct {
	*broker
	table    *table
	told     history.Memory
	cfg      observe.Config
	observer *observe.Observer
}

func expression(t *testing.T, text string) history.Expression {
	t.Helper()
	e, err := history.ParseExpression(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// newTrial observes orders, invoices and a table, by a group.
func newTrial(t *testing.T) *trial {
	x := &trial{broker: newBroker("orders", "invoices"), table: &table{}}
	x.told.Start = time.Now()
	x.cfg = observe.Config{
		Recorder: &x.told, Run: 7, Start: x.told.Start, Queue: x.broker,
		Input:  observe.Topic{Name: "orders", ID: expression(t, "header.id")},
		Output: &observe.Output{Topic: observe.Topic{Name: "invoices", ID: expression(t, "header.id")}, Group: "topic invoices"},
		Effect: &observe.Effect{Lister: x.table, Group: "table orders"},
		Group:  "billing",
	}
	return x
}

// during opens and starts, has do done, and waits until everything was told that can be told.
func (x *trial) during(t *testing.T, do func()) {
	t.Helper()
	var err error
	if x.observer, err = observe.Open(t.Context(), x.cfg); err != nil {
		t.Fatal(err)
	}
	if err := x.observer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.observer.Close(context.Background()) })
	do()
	x.settle()
}

// settle lets the listing be looked at, and all else come to rest.
func (x *trial) settle() {
	bubble.Sleep(1100 * time.Millisecond)
	synctest.Wait()
}

func (x *trial) drain(t *testing.T) observe.Drained {
	t.Helper()
	if err := x.observer.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := x.observer.Drain(t.Context(), 30*time.Second)
	if err := x.observer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return d
}

// drains are the ends of the groups.
func (x *trial) drains() map[string]history.Event {
	ends := map[string]history.Event{}
	for e := range x.told.Events() {
		if e.Kind == history.Drain {
			ends[e.Group] = e
		}
	}
	return ends
}

// stories writes the events of some kinds, without those that only count.
func (x *trial) stories(kinds ...history.Kind) (out []string) {
	for e := range x.told.Events() {
		if !slices.Contains(kinds, e.Kind) {
			continue
		}
		switch e.Kind {
		case history.Invoke:
			out = append(out, fmt.Sprintf("sent %d %s", e.Identity.Seq, e.Outcome))
		case history.Processed:
			out = append(out, fmt.Sprintf("%s %d", e.Group, e.Identity.Seq))
		case history.Source:
			out = append(out, fmt.Sprintf("%s|%s|%s", e.Group, e.Name, e.Detail))
		case history.Drain:
			out = append(out, fmt.Sprintf("%s %s %.0f", e.Group, e.Outcome, e.Value))
		case history.Gap:
			out = append(out, fmt.Sprintf("%s %s %.0f: %s", e.Name, e.Group, e.Value, e.Detail))
		}
	}
	return out
}

func (x *trial) expect(t *testing.T, kinds []history.Kind, want ...string) {
	t.Helper()
	if got := x.stories(kinds...); !slices.Equal(got, want) {
		t.Errorf("told\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func account() []history.Kind { return []history.Kind{history.Invoke, history.Processed} }

var errDown = errors.New("fake: the broker is down")
