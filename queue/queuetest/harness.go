package queuetest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// Harness tells the suite how to reach the queue under test. Only Open must be set.
type Harness struct {
	// Open connects to the broker, one that is running already or a fresh one. It is called once to read the capabilities and
	// once for each test; the suite closes what it returns. Open ends the test itself (t.Fatal) if it cannot connect, and
	// may register a t.Cleanup, which runs after that Close.
	Open func(t testing.TB) queue.Queue
	// TopicPrefix begins the name of every topic; each test adds its name and a random part, in [a-z0-9-]. Empty: "queuetest-".
	TopicPrefix string
	// AckTimeout is the time after which the broker under test redelivers. Zero: what Caps().AckTimeout says. Tests that
	// need it are not applicable if it is 0 in both places, or longer than MaxAckTimeout.
	AckTimeout time.Duration
	// MaxBody is the largest body to try. Zero: Caps().MaxBody, or 256 KiB if there is no such limit.
	MaxBody int
	// Wait bounds every wait for something that must happen. Zero: 30 s. Four times the ack timeout is added.
	Wait time.Duration
	// Restart restarts the broker, without wiping it, and returns when it is reachable again. Nil: the restart test is not
	// applicable.
	Restart func(t testing.TB)
	// BrokerGoroutines are parts of stack traces that mark goroutines of a broker in this process, which may outlive the
	// connection, such as "nats-server/v2/server". The leak check passes them over.
	BrokerGoroutines []string
	// Bubble runs each test in a testing/synctest bubble, with its fake clock: for queues that live wholly in this process
	// and are created by Open.
	Bubble bool
}

// MaxAckTimeout is the longest ack timeout that the suite waits for.
const MaxAckTimeout = 15 * time.Second

// Wrapped returns a harness whose queues have hooks around them, the first one outermost.
func (h Harness) Wrapped(hooks ...queue.Hooks) Harness {
	open := h.Open
	h.Open = func(t testing.TB) queue.Queue { return queue.Wrap(open(t), hooks...) }
	return h
}

// Summary says what Run did.
type Summary struct {
	Run           []string // names of the tests that ran, also those that failed
	NotApplicable []string // "name (why)" of those that the capabilities or the harness rule out
	Filtered      []string // names that go test's -run left out
}

// String is the line that Run prints.
func (s Summary) String() string {
	line := fmt.Sprintf("queuetest: %d run, %d not applicable", len(s.Run), len(s.NotApplicable))
	if len(s.NotApplicable) > 0 {
		line += ": " + strings.Join(s.NotApplicable, ", ")
	}
	if len(s.Filtered) > 0 {
		line += fmt.Sprintf("; %d left out by -run", len(s.Filtered))
	}
	return line
}

// Run runs the suite, each test as a subtest of t, logs the summary and returns it.
func Run(t *testing.T, h Harness) Summary {
	t.Helper()
	h, caps := prepare(t, h)
	var sum Summary
	for _, c := range checks() {
		if why := c.rulesOut(caps, h); why != "" {
			sum.NotApplicable = append(sum.NotApplicable, c.name+" ("+why+")")
			continue
		}
		var ran atomic.Bool
		t.Run(c.name, func(t *testing.T) {
			ran.Store(true)
			if h.Bubble {
				synctest.Test(t, func(t *testing.T) { c.try(t, h, caps) })
			} else {
				c.try(t, h, caps)
			}
		})
		if ran.Load() {
			sum.Run = append(sum.Run, c.name)
		} else {
			sum.Filtered = append(sum.Filtered, c.name)
		}
	}
	t.Log(sum.String())
	return sum
}

// prepare fills in the harness from the capabilities of a first connection.
func prepare(t testing.TB, h Harness) (Harness, queue.Caps) {
	t.Helper()
	if h.Open == nil {
		t.Fatal("queuetest: Harness.Open is nil: say how to connect to the queue")
	}
	q := h.Open(t)
	caps := q.Caps()
	if err := q.Close(t.Context()); err != nil {
		t.Fatalf("queuetest: close of the first connection: %v", err)
	}
	if h.TopicPrefix == "" {
		h.TopicPrefix = "queuetest-"
	}
	if h.AckTimeout == 0 {
		h.AckTimeout = caps.AckTimeout
	}
	if h.MaxBody == 0 {
		h.MaxBody = caps.MaxBody
	}
	if h.MaxBody == 0 {
		h.MaxBody = 256 << 10
	}
	if h.Wait == 0 {
		h.Wait = 30 * time.Second
	}
	return h, caps
}
