package workload

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// producer is one session that sends, one track. A single goroutine, its loop, owns the schedule, the backlog, the retries and
// the accounts, and never waits for the queue: batches go to a second goroutine that calls Produce, which may block, and results
// come back through the inbox.
type producer struct {
	w       *Workload
	number  uint32 // from 1
	name    string
	session queue.Producer
	track   *track
	inbox   *inbox
	out     chan *batch   // the loop is the only writer and writes only while there is room
	ended   chan struct{} // closed when the loop and, if the driver lets it, the sender have ended

	// The rest, down to mu, is the loop's.
	seq      uint64
	cursor   *cursor // nil: closed loop
	nextDue  time.Duration
	backlog  backlog
	keys     *keyring
	jitter   *rand.Rand
	waiting  retries    // for their next attempt's time
	due      []*sending // retries whose time has come
	counts   counts
	lastErr  error
	notSent  notSent
	turned   time.Time
	stopped  bool // no new messages
	giveUpAt time.Time
	latency  *histogram // nil unless measuring

	mu        sync.Mutex // held for a copy
	published counts
	failure   error
}

// counts are one producer's accounts. They add up after every turn of the loop:
// scheduled = offered + waiting + not sent, offered = acked + failed + in doubt + in flight + retrying.
type counts struct {
	scheduled, offered, attempts    int64
	acked, failed, inDoubt          int64
	failedAttempts, unknownAttempts int64
	notSent, waiting                int64
	inFlight, retrying              int64
	broken                          int64 // results beyond the one that each message gets
}

const turnSpacing = time.Millisecond // so that a busy producer sends batches, and an idle one costs little

func newProducer(w *Workload, number int, session queue.Producer) *producer {
	p := &producer{
		w: w, number: uint32(number), name: producerName(number), session: session, track: w.tracks[number-1],
		inbox: newInbox(), out: make(chan *batch, 1), ended: make(chan struct{}),
		backlog: backlog{bound: w.cfg.Backlog}, keys: newKeyring(&w.cfg, number),
		jitter: rand.New(rand.NewPCG(w.cfg.Seed, uint64(number)<<32)), latency: w.measure.histogram(),
	}
	if w.schedule != nil {
		p.cursor = w.schedule.cursor(number, w.cfg.Producers)
	}
	return p
}

func producerName(number int) string { return fmt.Sprintf("producer-%d", number) }

// run is the loop; it ends when the producers were stopped and every message has its outcome, or when they were told to give up.
func (p *producer) run() {
	defer close(p.ended)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		p.send()
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop, giveUp := p.w.stop, p.w.giveUp
	for {
		now := time.Now()
		if p.turn(now) {
			break
		}
		timer.Reset(p.untilNext(now))
		select {
		case <-timer.C:
		case <-p.inbox.wake:
			p.space()
		case <-stop:
			stop = nil
			p.stopNew()
		case <-giveUp:
			giveUp = nil
			p.giveUp()
		}
	}
	p.inbox.close()
	close(p.out)
	select {
	case <-sent:
	case <-time.After(giveUpGrace):
		p.w.cfg.Logger.Error("workload: the driver is still inside Produce after its context has ended", "client", p.name)
	}
}

// space keeps an open loop from turning for each single result. A closed loop waits for nothing but results, and turns at once.
func (p *producer) space() {
	if p.cursor != nil {
		time.Sleep(turnSpacing - time.Since(p.turned))
	}
}

// send hands every batch to the queue, also when its context has ended: then the queue refuses it, and the history has that.
func (p *producer) send() {
	for b := range p.out {
		p.inbox.nudge() // there is room for the next one
		p.session.Produce(p.w.sendCtx, b.messages, func(i int, r queue.Result) {
			p.inbox.put(completion{batch: b, index: i, at: p.w.measure.now(), err: r.Err})
		})
	}
}

// turn does everything that can be done now, and says whether the loop is finished.
func (p *producer) turn(now time.Time) bool {
	p.turned = now
	for _, c := range p.inbox.take() {
		p.complete(c, now)
	}
	for len(p.waiting) > 0 && !p.waiting[0].next.After(now) {
		p.due = append(p.due, heap.Pop(&p.waiting).(*sending))
	}
	p.takeDue()
	p.dispatch(now)
	if !p.giveUpAt.IsZero() && now.Sub(p.giveUpAt) >= giveUpGrace {
		p.abandon()
	}
	finished := p.stopped && p.counts.inFlight == 0 && p.counts.retrying == 0
	p.notSent.report(p, now, finished)
	p.publish()
	return finished
}

// takeDue moves what the schedule says is due into the backlog, or into the account of what was not sent.
func (p *producer) takeDue() {
	if p.cursor == nil || p.stopped {
		return
	}
	p.nextDue = p.cursor.take(func(intended time.Duration) {
		p.counts.scheduled++
		if !p.backlog.push(intended) {
			p.notSent.add(p, 1, backlogFull)
		}
	})
}

// dispatch hands out batches while the sender takes them.
func (p *producer) dispatch(now time.Time) {
	for len(p.out) < cap(p.out) {
		b := p.nextBatch(now)
		if b == nil {
			return
		}
		p.counts.attempts += int64(len(b.sendings))
		p.counts.inFlight += int64(len(b.sendings))
		p.out <- b
	}
}

// nextBatch is what is due, retries first, as far as the window allows. Nil: nothing.
func (p *producer) nextBatch(now time.Time) *batch {
	var sendings []*sending
	retried := min(batchMax, len(p.due))
	sendings = append(sendings, p.due[:retried]...)
	p.due = append(p.due[:0], p.due[retried:]...)
	p.counts.retrying -= int64(retried)
	room := p.room(retried)
	for range min(room, batchMax-retried) {
		if !p.keys.ready() {
			break
		}
		intended, ok := p.nextIntended(now)
		if !ok {
			break
		}
		sendings = append(sendings, p.seal(intended, now))
		p.counts.offered++
		p.track.offered.Store(p.seq)
	}
	if len(sendings) == 0 {
		return nil
	}
	b := &batch{
		messages: make([]queue.Message, len(sendings)),
		sendings: sendings,
		answered: make([]bool, len(sendings)),
	}
	for i, s := range sendings {
		s.attempts++
		b.messages[i] = s.message
	}
	return b
}

// room is how many new messages the window has room for, beside a number that goes out again. A closed loop waits until there is
// room for a batch that is worth a call.
func (p *producer) room(again int) int {
	if p.stopped {
		return 0
	}
	room := p.w.cfg.Window - int(p.counts.inFlight+p.counts.retrying) - again
	if p.cursor == nil && (p.counts.inFlight > 0 && room < p.w.cfg.Window/8 || p.w.measure.full(p.w)) {
		return 0
	}
	return max(0, room)
}

// nextIntended returns the intended time of the next new message: the oldest of the backlog, or now in a closed loop.
func (p *producer) nextIntended(now time.Time) (time.Duration, bool) {
	if p.cursor != nil {
		if p.backlog.size == 0 {
			return 0, false
		}
		return p.backlog.pop(), true
	}
	if !p.w.measure.takeOne() {
		return 0, false
	}
	p.counts.scheduled++
	return now.Sub(p.w.cfg.Start), true
}

// untilNext is how long nothing but a result can change anything.
func (p *producer) untilNext(now time.Time) time.Duration {
	wait := time.Second
	if p.cursor != nil && !p.stopped {
		wait = min(wait, p.nextDue-now.Sub(p.w.cfg.Start))
	}
	if p.cursor == nil && p.counts.inFlight == 0 && !p.stopped {
		wait = turnSpacing // a closed loop without a result to wait for: the measurement holds it back
	}
	if len(p.waiting) > 0 {
		wait = min(wait, p.waiting[0].next.Sub(now))
	}
	if p.notSent.count > 0 {
		wait = min(wait, p.notSent.next.Sub(now))
	}
	if !p.giveUpAt.IsZero() {
		wait = min(wait, giveUpGrace-now.Sub(p.giveUpAt))
	}
	return max(wait, turnSpacing)
}

// stopNew ends the schedule: what is due and was never handed to the queue is not sent.
func (p *producer) stopNew() {
	p.takeDue()
	p.notSent.add(p, p.backlog.size, producersStopped)
	p.backlog.clear()
	p.stopped = true
}

func (p *producer) publish() {
	p.counts.waiting = int64(p.backlog.size)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published, p.failure = p.counts, p.lastErr
}

func (p *producer) snapshot() (counts, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.published, p.failure
}

// notSent gathers what the schedule could not send, for one event a second.
type notSent struct {
	count int64
	why   string
	next  time.Time
}

const (
	backlogFull      = "backlog full"
	producersStopped = "producers stopped while it waited in the backlog"
)

func (n *notSent) add(p *producer, count int, why string) {
	if count == 0 {
		return
	}
	p.counts.notSent += int64(count)
	n.count += int64(count)
	if n.why != "" && n.why != why {
		why = n.why + "; " + why
	}
	n.why = why
}

// report records what was gathered, at most once a second, and at the end.
func (n *notSent) report(p *producer, now time.Time, last bool) {
	if n.count == 0 || now.Before(n.next) && !last {
		return
	}
	p.w.record(history.Event{
		Kind: history.NotSent, Client: p.name, Value: float64(n.count),
		Detail: fmt.Sprintf("%s (bound %d)", n.why, p.backlog.bound),
	})
	*n = notSent{next: now.Add(time.Second)}
}
