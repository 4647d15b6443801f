package queuetest

import (
	"testing"

	"github.com/havoqlab/havoq/queue"
)

// check is one test of the suite.
type check struct {
	name  string
	needs []need
	run   func(e *env)
}

// need is a reason for a check not to be applicable, or "".
type need func(c queue.Caps, h Harness) string

func (c check) rulesOut(caps queue.Caps, h Harness) string {
	for _, n := range c.needs {
		if why := n(caps, h); why != "" {
			return why
		}
	}
	return ""
}

// try runs the check on a connection of its own and verifies what holds for all checks.
func (c check) try(t testing.TB, h Harness, caps queue.Caps) {
	t.Helper()
	c.run(newEnv(t, h, caps, c.name))
}

// checks lists the suite, simplest first: a driver's author reads the first failure first.
func checks() []check {
	return []check{
		{"round-trip", nil, roundTrip},
		{"max-is-a-bound", nil, maxIsBound},
		{"empty-body", nil, emptyBody},
		{"headers", nil, headers},
		{"header-order", []need{declares("HeaderOrder", func(c queue.Caps) bool { return c.HeaderOrder })}, headerOrder},
		{"large-body", nil, largeBody},
		{"too-large", []need{limitedBody}, tooLarge},
		{"no-id", nil, withoutID},
		{"timestamp", nil, timestamp},
		{"batch-is-lent", nil, batchIsLent},
		{"not-before", nil, notBefore},
		{"dedup", []need{declares("Dedup", func(c queue.Caps) bool { return c.Dedup })}, dedup},
		{"order", []need{keepsOrder}, order},
		{"batch-order", []need{keepsOrder, declares("BatchOrder", func(c queue.Caps) bool { return c.BatchOrder })}, batchOrder},
		{"group-shares", nil, groupShares},
		{"groups-get-all", nil, groupsGetAll},
		{"acked-stays-acked", nil, ackedStaysAcked},
		{"settle-some", nil, settleSome},
		{"nack", []need{canNack}, nack},
		{"nack-delay", []need{canNack, declares("NackDelay", func(c queue.Caps) bool { return c.NackDelay })}, nackDelay},
		{"ack-timeout", []need{ackTimeout}, ackTimesOut},
		{"stale-ack", []need{ackTimeout}, staleAck},
		{"ack-twice", nil, ackTwice},
		{"consumer-close-gives-back", nil, consumerCloseGivesBack},
		{"produce-after-close", nil, produceAfterClose},
		{"produce-cancelled", nil, produceCancelled},
		{"produce-interrupted", nil, produceInterrupted},
		{"producer-close-flushes", nil, producerCloseFlushes},
		{"producer-close-during-done", nil, producerCloseDuringDone},
		{"receive-cancelled", nil, receiveCancelled},
		{"receive-cancelled-loses-nothing", nil, receiveCancelledLosesNothing},
		{"close-while-receiving", nil, closeWhileReceiving},
		{"settle-after-close", nil, settleAfterClose},
		{"close-twice", nil, closeTwice},
		{"use-after-queue-close", nil, useAfterQueueClose},
		{"concurrent-use", nil, concurrentUse},
		{"depth", []need{declares("Depth", func(c queue.Caps) bool { return c.Depth })}, depth},
		{"restart", []need{canRestart}, restart},
	}
}

func declares(name string, has func(queue.Caps) bool) need {
	return func(c queue.Caps, _ Harness) string {
		if has(c) {
			return ""
		}
		return "Caps." + name + " is false"
	}
}

func canNack(c queue.Caps, _ Harness) string {
	if c.Nack == queue.NackNone {
		return "Caps.Nack is NackNone"
	}
	return ""
}

func keepsOrder(c queue.Caps, _ Harness) string {
	if c.Order == queue.OrderNone {
		return "Caps.Order is OrderNone"
	}
	return ""
}

func ackTimeout(_ queue.Caps, h Harness) string {
	switch {
	case h.AckTimeout <= 0:
		return "no ack timeout"
	case h.AckTimeout > MaxAckTimeout:
		return "the ack timeout of " + h.AckTimeout.String() + " is longer than " + MaxAckTimeout.String()
	}
	return ""
}

// largestRefusal is the largest limit that is tried from above.
const largestRefusal = 16 << 20

func limitedBody(c queue.Caps, _ Harness) string {
	switch {
	case c.MaxBody == 0:
		return "Caps.MaxBody is 0"
	case c.MaxBody > largestRefusal:
		return "Caps.MaxBody is above 16 MiB"
	}
	return ""
}

func canRestart(_ queue.Caps, h Harness) string {
	if h.Restart == nil {
		return "Harness.Restart is nil"
	}
	return ""
}
