package nats

import (
	"fmt"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

const (
	maxPull     = 1024            // messages asked for at a time
	pullExpires = 5 * time.Second // when the server ends a pull request that it could not fill
	heartbeat   = 400 * time.Millisecond
	silence     = 3 * heartbeat // after which the consumer's leader is taken for gone
	pullPace    = 100 * time.Millisecond
	pullBytes   = 16 << 20 // bytes asked for at a time, and at least two messages
	strayPulls  = 4        // whole pulls that may come late, from requests that were given up
)

// puller keeps one consumer session supplied. It asks for no more than the caller of Receive wants, and asks again when less
// than half of that is there or on its way. Heartbeats show that the consumer's leader lives; a silent one is given up and
// asked anew, which reaches its successor. Its methods are called by one goroutine at a time.
type puller struct {
	nc      *natsgo.Conn
	subject string // of the request
	prefix  string // of the replies; the number of the request follows
	sub     *natsgo.Subscription
	in      chan *natsgo.Msg
	bytes   int64

	ready  []*natsgo.Msg // taken from in, not handed out
	credit int           // asked for and not yet arrived
	last   uint64        // number of the last request
	first  uint64        // requests before this one were given up
	heard  time.Time     // when the leader last gave a sign
	wait   time.Time     // do not ask before this
	mute   time.Time     // since when nobody answers: 503 only. Zero: it does
	gone   bool          // the server says that the consumer was deleted
}

func newPuller(nc *natsgo.Conn, stream, consumer string) (*puller, error) {
	p := &puller{
		nc:      nc,
		subject: "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + consumer,
		prefix:  natsgo.NewInbox() + ".",
		in:      make(chan *natsgo.Msg, strayPulls*maxPull+256), // 256: heartbeats and ends of requests
		bytes:   max(pullBytes, 2*nc.MaxPayload()),
		first:   1,
	}
	var err error
	p.sub, err = nc.ChanSubscribe(p.prefix+"*", p.in)
	return p, err
}

// ask tops up what is there and on its way to n messages.
func (p *puller) ask(n int, now time.Time) error {
	n = min(n, maxPull)
	have := p.credit + len(p.ready) + len(p.in)
	if have > n/2 || now.Before(p.wait) {
		return nil
	}
	p.last++
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d,"idle_heartbeat":%d,"max_bytes":%d}`, n-have, pullExpires, heartbeat, p.bytes)
	err := p.nc.PublishRequest(p.subject, p.prefix+strconv.FormatUint(p.last, 10), body)
	if err != nil {
		p.wait = now.Add(pullPace)
		if offline(err) {
			return nil // the client connects again by itself
		}
		return err
	}
	if p.credit == 0 {
		p.heard = now
	}
	p.credit += n - have
	return nil
}

// giveUp forgets what is on its way. If it comes after all, it is taken.
func (p *puller) giveUp(pace time.Duration, now time.Time) {
	p.credit, p.first, p.wait = 0, p.last+1, now.Add(pace)
}

// take handles one message of the subscription: data goes to ready.
func (p *puller) take(m *natsgo.Msg, now time.Time) {
	if m.Reply != "" { // to ack it to: a message. Its number is not told, so it counts for the last request
		p.ready = append(p.ready, m)
		p.credit = max(p.credit-1, 0)
		p.heard, p.mute = now, time.Time{}
		return
	}
	number, err := strconv.ParseUint(m.Subject[min(len(p.prefix), len(m.Subject)):], 10, 64)
	if err != nil || number < p.first {
		return
	}
	p.heard = now
	status := m.Header.Get("Status")
	if status != "503" {
		p.mute = time.Time{}
	}
	switch status {
	case "100":
	case "404", "408", "409":
		p.end(m, now)
	case "503":
		if p.mute.IsZero() {
			p.mute = now
		}
		p.giveUp(pullPace, now)
	default:
		p.giveUp(time.Second, now)
	}
}

// end takes off the credit what a request that has ended did not get.
func (p *puller) end(m *natsgo.Msg, now time.Time) {
	if m.Header.Get("Description") == "Consumer Deleted" {
		p.gone = true
	}
	missing, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil { // an end of all requests, such as a new leader
		p.giveUp(0, now)
		return
	}
	p.credit = max(p.credit-missing, 0)
}

// drain takes what is there, without waiting, until n messages are ready.
func (p *puller) drain(n int, now time.Time) {
	for len(p.ready) < n {
		select {
		case m := <-p.in:
			p.take(m, now)
		default:
			return
		}
	}
}

// next is when there is something to do although nothing arrives.
func (p *puller) next() time.Time {
	if p.credit == 0 {
		return p.wait
	}
	return p.heard.Add(silence)
}

// tick does it.
func (p *puller) tick(now time.Time) {
	if p.credit > 0 && now.Sub(p.heard) >= silence {
		p.giveUp(0, now)
	}
}
