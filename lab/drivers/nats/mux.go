package nats

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// waiter is told what became of its i-th request: m is the reply, or nil and err says why there is none. It is called exactly
// once for each, from the mux's goroutine, from the one that ends the request, or from send's own.
type waiter interface {
	answered(i int, m *natsgo.Msg, err error)
}

// Reasons for which a request ends without a reply.
var (
	errNoAnswer     = errors.New("no answer in time")
	errDisconnected = errors.New("the connection was lost before the answer")
	errNewLeader    = errors.New("no answer, and the stream has a new leader")
	errSessionEnded = errors.New("the session was closed before the answer")
)

// mux matches the replies of one session to what waits for them. One subscription takes all replies; a token in the reply
// subject names a slot and its use, so a late reply to an earlier use of the slot is told apart and dropped. All requests have
// the same time-out, so the ones that wait form a list in the order of their deadlines: the slot is a fixed array, and a send
// costs no goroutine, no timer and no map.
type mux struct {
	nc      *natsgo.Conn
	timeout time.Duration
	prefix  string
	sub     *natsgo.Subscription
	replies chan *natsgo.Msg
	free    chan int32 // the window: a slot is taken by receiving its index
	quit    chan struct{}
	ended   sync.WaitGroup
	timer   *time.Timer

	mu    sync.Mutex
	armed bool // the timer runs, or its tick is being handled
	slots []slot
	head  int32 // of the list of waiting slots, oldest first; none where empty
	tail  int32
	uses  uint64
}

type slot struct {
	token      uint64 // 0: nobody waits
	deadline   time.Time
	why        error // at the deadline
	prev, next int32
	w          waiter
	i          int
}

const none = int32(-1)

func newMux(nc *natsgo.Conn, window int, timeout time.Duration) (*mux, error) {
	x := &mux{
		nc:      nc,
		timeout: timeout,
		prefix:  natsgo.NewInbox() + ".",
		replies: make(chan *natsgo.Msg, 2*window+64), // late replies to ended requests come on top
		free:    make(chan int32, window),
		quit:    make(chan struct{}),
		timer:   time.NewTimer(time.Hour),
		slots:   make([]slot, window),
		head:    none,
		tail:    none,
	}
	x.timer.Stop()
	for i := range window {
		x.free <- int32(i)
	}
	var err error
	if x.sub, err = nc.ChanSubscribe(x.prefix+"*", x.replies); err != nil {
		return nil, err
	}
	x.ended.Go(x.run)
	return x, nil
}

// register makes slot s, which the caller took from free, wait for a reply, and returns the reply subject to send with.
func (x *mux) register(s int32, w waiter, i int) (reply string, token uint64) {
	x.mu.Lock()
	x.uses++
	token = x.uses*uint64(len(x.slots)) + uint64(s)
	x.slots[s] = slot{token: token, deadline: time.Now().Add(x.timeout), why: errNoAnswer, prev: x.tail, next: none, w: w, i: i}
	if x.tail == none {
		x.head = s
	} else {
		x.slots[x.tail].next = s
	}
	x.tail = s
	if !x.armed {
		x.armed = true
		x.timer.Reset(x.timeout)
	}
	x.mu.Unlock()
	var buf [64]byte
	return string(strconv.AppendUint(append(buf[:0], x.prefix...), token, 36)), token
}

// unregister takes back a registration that was not sent. false: it has been answered already.
func (x *mux) unregister(token uint64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, _, ok := x.take(token)
	return ok
}

// release gives a slot back to the window.
func (x *mux) release(s int32) { x.free <- s }

// take unlinks the slot that waits under token. mu is held.
func (x *mux) take(token uint64) (s int32, w slot, ok bool) {
	s = int32(token % uint64(len(x.slots)))
	w = x.slots[s]
	if token == 0 || w.token != token {
		return s, w, false
	}
	if w.prev == none {
		x.head = w.next
	} else {
		x.slots[w.prev].next = w.next
	}
	if w.next == none {
		x.tail = w.prev
	} else {
		x.slots[w.next].prev = w.prev
	}
	x.slots[s] = slot{}
	return s, w, true
}

func (x *mux) run() {
	for {
		select {
		case m := <-x.replies:
			x.reply(m)
		case <-x.timer.C:
			x.expire()
		case <-x.quit:
			return
		}
	}
}

func (x *mux) reply(m *natsgo.Msg) {
	token, err := strconv.ParseUint(m.Subject[len(x.prefix):], 36, 64)
	if err != nil {
		return // not one of ours
	}
	x.mu.Lock()
	s, w, ok := x.take(token)
	x.mu.Unlock()
	if ok {
		w.w.answered(w.i, m, nil)
		x.release(s)
	}
}

// expire ends what waits too long, and arms the timer for the next.
func (x *mux) expire() {
	now := time.Now()
	x.fail(nil, func(w *slot) bool { return !w.deadline.After(now) })
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.head == none {
		x.armed = false
		return
	}
	x.timer.Reset(max(time.Until(x.slots[x.head].deadline), time.Millisecond))
}

// hurry gives everything that waits now no longer than grace; then it ends with why.
func (x *mux) hurry(why error, grace time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	limit := time.Now().Add(grace)
	for s := x.head; s != none; s = x.slots[s].next {
		if w := &x.slots[s]; w.deadline.After(limit) {
			w.deadline, w.why = limit, why
		}
	}
	if x.head != none {
		x.timer.Reset(max(time.Until(x.slots[x.head].deadline), time.Millisecond))
	}
}

// fail ends all requests that match, without a reply. why nil: each has its own reason.
func (x *mux) fail(why error, match func(*slot) bool) {
	type lost struct {
		s int32
		w slot
	}
	var all []lost
	x.mu.Lock()
	for s := x.head; s != none; {
		next := x.slots[s].next
		if w := &x.slots[s]; match(w) {
			_, taken, _ := x.take(w.token)
			all = append(all, lost{s, taken})
		}
		s = next
	}
	x.mu.Unlock()
	for _, l := range all {
		if why != nil {
			l.w.why = why
		}
		l.w.w.answered(l.w.i, nil, l.w.why)
		x.release(l.s)
	}
}

func (x *mux) failAll(why error) { x.fail(why, func(*slot) bool { return true }) }

// drain takes all slots of the window: then nothing is in flight, and nothing can be sent any more. When ctx ends first, it fails
// what is in flight and returns why.
func (x *mux) drain(ctx context.Context) error {
	var err error
	for range cap(x.free) {
		select {
		case <-x.free:
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		for taken := false; !taken; { // a request that is just being written shows up in a moment
			x.failAll(errSessionEnded)
			select {
			case <-x.free:
				taken = true
			case <-time.After(time.Millisecond):
			}
		}
	}
	return err
}

// stop ends the goroutine. Whatever still waits is failed first; the caller sees to it that nothing new is registered.
func (x *mux) stop() {
	_ = x.sub.Unsubscribe() // an error means that the connection is gone, and the subscription with it
	x.failAll(errSessionEnded)
	close(x.quit)
	x.ended.Wait()
	x.timer.Stop()
}
