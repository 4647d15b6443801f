package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// rigRun is the run number of every rig.
const rigRun = 41

// deed is what the application does with a delivery.
type deed int

const (
	works        deed = iota // the work, unless it was done before, and the ack
	worksTwice               // the work twice over
	shirks                   // the ack alone
	givesBack                // a nack
	dies                     // nothing, and the session ends with all that it holds; another one takes its place
	worksAndDies             // the work, and then the same
)

// trial is what an application does with a queue. Its zero value is a small one that all contracts allow.
type trial struct {
	producers int           // 0: 2, "p1", "p2"
	messages  int           // of each; 0: 12; the first is "p1-0"
	batch     int           // messages sent at once. 0: 1, so that each is confirmed before the next is sent: order is promised
	keys      int           // of each producer, in turn. 0: 1; negative: each message has its own
	pause     time.Duration // between batches. 0: 10 ms
	busy      time.Duration // what the work on a delivery takes
	groups    []string      // nil: "audit" and "work"
	members   int           // consumers of each group. 0: 1, so that order can be kept
	late      string        // a group that is opened only when all is sent
	careless  bool          // the application does not remember what it has done
	keep      bool          // the topic keeps what is acked, for groups that come late
	room      int           // most messages that the queue holds. 0: plenty
	dedup     bool          // the queue remembers IDs
	work      func(group string, d *queue.Delivery) deed
}

func (l trial) defaults() trial {
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&l.producers, 2)
	def(&l.messages, 12)
	def(&l.batch, 1)
	def(&l.keys, 1)
	def(&l.members, 1)
	if l.pause == 0 {
		l.pause = 10 * time.Millisecond
	}
	if l.groups == nil {
		l.groups = []string{"audit", "work"}
	}
	if l.work == nil {
		l.work = func(string, *queue.Delivery) deed { return works }
	}
	return l
}

// rig runs a load on a queue, and records it.
type rig struct {
	trial
	queue    queue.Queue
	recorder *history.Memory
	mu       sync.Mutex
	broken   []error
}

const rigTopic = "orders"

// record runs the load on a memory queue in a bubble, with what plant makes of it, and returns the history.
func record(t *testing.T, l trial, plant func(queue.Queue) queue.Queue) []history.Event {
	t.Helper()
	r := &rig{trial: l.defaults()}
	synctest.Test(t, func(t *testing.T) {
		c := memory.Config{AckTimeout: 2 * time.Second, Keep: r.keep, MaxMessages: r.room}
		if r.dedup {
			c.DedupWindow = time.Hour
		}
		start := time.Now()
		r.recorder = &history.Memory{Start: start}
		r.queue = queue.Wrap(plant(memory.New(c)), history.Hooks(history.Config{
			Recorder: r.recorder, Run: rigRun, Start: start,
			Stream: func(string) uint16 { return 1 },
		}))
		r.run(t.Context())
		if err := r.queue.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(r.broken...); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(r.recorder.Events())
}

func sound(q queue.Queue) queue.Queue { return q }

// fail keeps what went wrong with the rig itself.
func (r *rig) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = append(r.broken, err)
}

func (r *rig) run(ctx context.Context) {
	consuming, stop := context.WithCancel(ctx)
	defer stop()
	var producers, consumers sync.WaitGroup
	for _, g := range r.groups {
		for i := range r.members {
			r.member(consuming, fmt.Sprint(g, "-", i+1), g, &consumers)
		}
	}
	synctest.Wait() // all groups exist
	for i := range r.producers {
		producers.Go(func() { r.produce(ctx, fmt.Sprint("p", i+1)) })
		bubble.Sleep(time.Microsecond)
	}
	producers.Wait()
	groups := r.groups
	if r.late != "" {
		r.member(consuming, r.late, r.late, &consumers)
		synctest.Wait()
		groups = append(slices.Clip(groups), r.late)
	}
	for _, g := range groups {
		r.drain(ctx, g)
	}
	bubble.Sleep(10 * time.Second) // what is there, comes
	stop()
	consumers.Wait()
	r.recorder.Record(history.Event{Kind: history.End})
}

// member is one consumer of a group, and its successors.
func (r *rig) member(ctx context.Context, name, group string, wg *sync.WaitGroup) {
	done := make(map[string]bool)
	wg.Go(func() {
		for session := 1; ; session++ {
			if !r.consume(ctx, group, fmt.Sprint(name, "-", session), done) {
				return
			}
		}
	})
}

func (r *rig) produce(ctx context.Context, name string) {
	p, err := r.queue.Producer(queue.WithClient(ctx, name), rigTopic)
	if err != nil {
		r.fail(err)
		return
	}
	for first := 0; first < r.messages; first += r.batch {
		var batch []queue.Message
		for i := first; i < min(first+r.batch, r.messages); i++ {
			key := i % max(1, r.keys)
			if r.keys < 0 {
				key = i
			}
			batch = append(batch, queue.Message{
				ID: fmt.Sprint(name, "-", i), Key: fmt.Sprint(name, "/", key), Body: fmt.Appendf(nil, "order %d of %s", i, name),
			})
		}
		r.send(ctx, p, batch)
		bubble.Sleep(r.pause)
	}
	if err := p.Close(ctx); err != nil {
		r.fail(err)
	}
}

// send sends a batch, and again what is in doubt.
func (r *rig) send(ctx context.Context, p queue.Producer, batch []queue.Message) {
	for range 3 {
		var again []queue.Message
		for i, result := range queue.Send(ctx, p, batch...) {
			if queue.OutcomeOf(result.Err) == queue.Unknown {
				again = append(again, batch[i])
			}
		}
		if batch = again; len(batch) == 0 {
			return
		}
		bubble.Sleep(time.Second)
	}
}

// consume is one session. It says whether it needs a successor.
func (r *rig) consume(ctx context.Context, group, name string, done map[string]bool) (died bool) {
	c, err := r.queue.Consumer(queue.WithClient(ctx, name), rigTopic, group)
	if err != nil {
		if ctx.Err() == nil {
			r.fail(err)
		}
		return false
	}
	defer c.Close(context.WithoutCancel(ctx))
	for {
		ds, err := c.Receive(ctx, 4)
		if err != nil {
			return false
		}
		for i := range ds {
			bubble.Sleep(r.busy)
			if r.handle(ctx, c, &ds[i], name, done) {
				return true
			}
		}
	}
}

func (r *rig) handle(ctx context.Context, c queue.Consumer, d *queue.Delivery, name string, done map[string]bool) (died bool) {
	what := r.work(d.Group, d)
	times := map[deed]int{works: 1, worksTwice: 2, worksAndDies: 1}[what]
	if done[d.ID] && !r.careless {
		times = 0
	}
	for range times {
		r.recorder.Record(history.ProcessedEvent(d, name, rigRun))
		done[d.ID] = true
	}
	switch what {
	case dies, worksAndDies:
		return true
	case givesBack:
		c.Settle(ctx, queue.Nack(0), []queue.Delivery{*d})
	default:
		c.Settle(ctx, queue.Ack(), []queue.Delivery{*d})
	}
	return false
}

// drain waits until the queue says that it holds nothing for the group, three times in a row, for a minute at most.
func (r *rig) drain(ctx context.Context, group string) {
	e := history.Event{Kind: history.Drain, Group: group}
	for tries, empty := 0, 0; tries < 600 && empty < 3; tries++ {
		bubble.Sleep(100 * time.Millisecond)
		d, err := r.queue.Depth(ctx, rigTopic, group)
		if err != nil {
			r.fail(err)
			return
		}
		if e.Value = float64(d.Total()); d.Total() == 0 {
			empty++
		} else {
			empty = 0
		}
	}
	if e.Value == 0 {
		e.Outcome = queue.OK
	}
	r.recorder.Record(e)
}
