package workload

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// Config describes a load. Queue, Start and at least one producer or consumer are needed; the zero value of everything else is
// useful.
type Config struct {
	// Queue is where the load goes, already wrapped by history.Hooks if the run is recorded. The workload does not close it.
	Queue queue.Queue
	// Recorder takes the workload's own events. Nil: nothing is recorded.
	Recorder history.Recorder
	// Run is in every envelope; a delivery of another run is foreign.
	Run uint32
	// Start is the zero of event times.
	Start time.Time
	// Topic and Group default to "havoq".
	Topic, Group string
	// Producers and Consumers say how many sessions of each; 0 means none.
	Producers, Consumers int
	// Rate is messages a second, all producers together. 0: closed loop, as fast as Window allows.
	Rate float64
	// Size is the length of a body in bytes.
	Size int
	// Keys is how many keys there are, split over the producers (at least one each), so that the order of a key is the
	// order of one producer's track. 0: messages have no key.
	Keys int
	// Ordered keeps one message of a key in flight at a time, so that retries cannot reorder a key. Without keys it is one
	// message of a producer. It bounds the rate: keys / time to confirm one message.
	Ordered bool
	// Work is how long a consumer takes to process one message.
	Work time.Duration
	// AckEarly makes consumers ack what they receive before they process it: the bug that loses messages in a crash.
	AckEarly bool
	// Retry is how long after its first attempt a message may be sent again, always with the same ID, envelope and body.
	// 0: 30 s. Negative: never.
	Retry time.Duration
	// Backlog is how many messages that are due a producer keeps waiting. 0: 10 s of its part of Rate, at least 1000 and at
	// most a million.
	Backlog int
	// Window is how many messages of one producer are in flight or wait for a retry. 0: 1024.
	Window int
	// Seed makes bodies, the choice of keys, and jitter.
	Seed uint64
	// Logger: nil discards.
	Logger *slog.Logger
}

const (
	defaultName     = "havoq"
	defaultRetry    = 30 * time.Second
	defaultWindow   = 1024
	backlogSpan     = 10 * time.Second
	minBacklog      = 1000
	maxBacklog      = 1_000_000
	maxSessions     = 10_000
	maxRate         = 10_000_000
	maxWindow       = 1 << 20
	maxSize         = 1 << 30
	batchMax        = 256
	receiveMax      = 64
	sampleEvery     = 250 * time.Millisecond
	openLimit       = 30 * time.Second // of one session, where the caller's context has no earlier end
	sessionEndLimit = 5 * time.Second  // of closing one session
	settleLimit     = 10 * time.Second // of one Settle call
	giveUpGrace     = 5 * time.Second  // for drivers to answer after their context has ended
)

func (c Config) withDefaults() Config {
	if c.Topic == "" {
		c.Topic = defaultName
	}
	if c.Group == "" {
		c.Group = defaultName
	}
	if c.Retry == 0 {
		c.Retry = defaultRetry
	}
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	if c.Backlog == 0 {
		due := c.Rate / float64(max(1, c.Producers)) * backlogSpan.Seconds()
		c.Backlog = int(min(max(due, minBacklog), maxBacklog))
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate names every field that is wrong, not only the first.
func (c Config) validate() error {
	var wrong []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("workload: "+format, args...))
		}
	}
	check(c.Queue != nil, "Queue is nil: open one with a driver")
	check(!c.Start.IsZero(), "Start is zero: give the recorder's start, so that all events share one clock")
	check(c.Producers >= 0 && c.Producers <= maxSessions, "Producers is %d: use 0 to %d", c.Producers, maxSessions)
	check(c.Consumers >= 0 && c.Consumers <= maxSessions, "Consumers is %d: use 0 to %d", c.Consumers, maxSessions)
	check(c.Producers != 0 || c.Consumers != 0, "no producers and no consumers: nothing to do")
	check(c.Rate == 0 || validRate(c.Rate), "Rate is %v/s: use 0 (closed loop), or above 0 to %d", c.Rate, maxRate)
	check(c.Size >= 0 && c.Size <= maxSize, "Size is %d bytes: use 0 to %d", c.Size, maxSize)
	check(c.Keys >= 0, "Keys is %d: use 0 (no keys) or more", c.Keys)
	check(c.Work >= 0, "Work is %s: use 0 or more", c.Work)
	check(c.Backlog > 0, "Backlog is %d: use 0 (10 s of the rate) or more", c.Backlog)
	check(c.Window > 0 && c.Window <= maxWindow, "Window is %d: use 0 (%d) to %d", c.Window, defaultWindow, maxWindow)
	if c.Queue != nil {
		caps := c.Queue.Caps()
		check(caps.MaxBody == 0 || c.Size <= caps.MaxBody, "Size is %d bytes, and %s takes at most %d in one message",
			c.Size, caps.Driver, caps.MaxBody)
		check(caps.AckTimeout == 0 || c.Work < caps.AckTimeout,
			"Work is %s, and %s redelivers after %s: no message could be settled in time", c.Work, caps.Driver, caps.AckTimeout)
	}
	return errors.Join(wrong...)
}

func validRate(perSecond float64) bool {
	return perSecond > 0 && perSecond <= maxRate && !math.IsNaN(perSecond)
}
