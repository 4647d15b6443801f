package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	openTimeout   = 30 * time.Second // for a cluster to become able to make a stream or consumer
	noJetStream   = 3 * time.Second  // for a server that is up to have JetStream, too
	apiTimeout    = 2 * time.Second  // for one request
	retryEvery    = 100 * time.Millisecond
	maxAckPending = 1 << 16 // deliveries of one group that are not settled
	maxWaiting    = 512     // pull requests of one group that wait
)

// Answers of a cluster that cannot do it yet.
const (
	codeNoPeers        = 10005 // too few nodes are up
	codeNotAvailable   = 10008
	codeNotLeader      = 10009
	codeStreamOffline  = 10118
	codeConsumerGone   = 10014
	codeStreamGone     = 10059
	codeConsumerExists = 10148
	codeStreamExists   = 10058
)

func (c *Conn) streamConfig(topic string) jetstream.StreamConfig {
	maxMsgs := c.cfg.MaxMsgs
	if maxMsgs == 0 {
		maxMsgs = -1
	}
	return jetstream.StreamConfig{
		Name:        StreamName(topic),
		Description: "havoq topic",
		Subjects:    []string{SubjectName(topic)},
		Retention:   c.cfg.retention,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     maxMsgs,
		Replicas:    c.cfg.Replicas,
		Storage:     c.cfg.storage,
		Duplicates:  c.cfg.DedupWindow,
	}
}

// ensureStream makes the stream of topic, or sees that it is as asked.
func (c *Conn) ensureStream(ctx context.Context, topic string) error {
	err := c.retry(ctx, func(ctx context.Context) error {
		info, err := c.streamInfo(ctx, topic)
		if codeOf(err) == codeStreamGone {
			_, err = c.js.CreateStream(ctx, c.streamConfig(topic))
			return err
		}
		if err != nil {
			return err
		}
		return c.checkStream(topic, info.Config)
	})
	if err != nil {
		return fmt.Errorf("nats: stream %q of topic %q at %s: %w", StreamName(topic), topic, c.where(), err)
	}
	return nil
}

func (c *Conn) streamInfo(ctx context.Context, topic string) (*jetstream.StreamInfo, error) {
	s, err := c.js.Stream(ctx, StreamName(topic))
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// errDiffers is an existing stream or consumer that is not as asked.
var errDiffers = errors.New("it exists with other settings")

func (c *Conn) checkStream(topic string, have jetstream.StreamConfig) error {
	asked, want := c.cfg.asked, c.streamConfig(topic)
	differs := func(what string, have, want any) error {
		return fmt.Errorf("%w: %s is %v, asked for %v: ask for the same, or delete the stream", errDiffers, what, have, want)
	}
	switch {
	case !slices.Equal(have.Subjects, want.Subjects):
		return differs("subjects", have.Subjects, want.Subjects)
	case have.Retention != want.Retention:
		return differs("retention", have.Retention, want.Retention)
	case have.NoAck:
		return differs("no-ack", true, false)
	case asked.Replicas != 0 && have.Replicas != want.Replicas:
		return differs("replicas", have.Replicas, want.Replicas)
	case asked.Storage != "" && have.Storage != want.Storage:
		return differs("storage", have.Storage, want.Storage)
	case asked.MaxMsgs != 0 && have.MaxMsgs != want.MaxMsgs:
		return differs("max-msgs", have.MaxMsgs, want.MaxMsgs)
	case asked.MaxMsgs != 0 && have.Discard != want.Discard:
		return differs("discard", have.Discard, want.Discard)
	case asked.DedupWindow != 0 && have.Duplicates != want.Duplicates:
		return differs("dedup-window", have.Duplicates, want.Duplicates)
	}
	return nil
}

func (c *Conn) consumerConfig(group string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       ConsumerName(group),
		Description:   "havoq group",
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       c.cfg.AckTimeout,
		MaxDeliver:    -1,
		MaxAckPending: maxAckPending,
		MaxWaiting:    maxWaiting,
	}
}

// ensureConsumer makes the durable consumer of group, or sees that it is as asked. created: it was not there.
func (c *Conn) ensureConsumer(ctx context.Context, topic, group string) (created bool, err error) {
	err = c.retry(ctx, func(ctx context.Context) error {
		created, err = c.tryConsumer(ctx, topic, group)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("nats: consumer %q of group %q on topic %q at %s: %w",
			ConsumerName(group), group, topic, c.where(), err)
	}
	return created, nil
}

func (c *Conn) tryConsumer(ctx context.Context, topic, group string) (created bool, err error) {
	have, err := c.js.Consumer(ctx, StreamName(topic), ConsumerName(group))
	switch {
	case codeOf(err) == codeConsumerGone:
		_, err = c.js.CreateConsumer(ctx, StreamName(topic), c.consumerConfig(group))
		return err == nil, err
	case err != nil:
		return false, err
	}
	info := have.CachedInfo().Config
	switch {
	case info.AckPolicy != jetstream.AckExplicitPolicy:
		return false, fmt.Errorf("%w: its ack policy is %v, not explicit", errDiffers, info.AckPolicy)
	case info.FilterSubject != "" || len(info.FilterSubjects) > 0:
		return false, fmt.Errorf("%w: it filters subjects", errDiffers)
	case c.cfg.asked.AckTimeout != 0 && info.AckWait != c.cfg.AckTimeout:
		return false, fmt.Errorf("%w: ack-timeout is %s, asked for %s: ask for the same, or delete the consumer",
			errDiffers, info.AckWait, c.cfg.AckTimeout)
	case info.AckWait != c.cfg.AckTimeout:
		c.cfg.Logger.Warn("nats: the group exists with another ack timeout, which holds",
			"topic", topic, "group", group, "ack-timeout", info.AckWait)
	}
	return false, nil
}

// recreateStream makes the stream again if the cluster says that it is gone. What it held is lost.
func (c *Conn) recreateStream(ctx context.Context, topic string) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if _, err := c.streamInfo(ctx, topic); codeOf(err) != codeStreamGone {
		return
	}
	_, err := c.js.CreateStream(ctx, c.streamConfig(topic))
	c.cfg.Logger.Warn("nats: the server has lost the stream and what was in it; made it again",
		"topic", topic, "stream", StreamName(topic), "error", err)
}

// recreateConsumer does the same for a group's consumer, and returns an error that waiting will not cure.
func (c *Conn) recreateConsumer(ctx context.Context, topic, group string) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	created, err := c.tryConsumer(ctx, topic, group)
	if codeOf(err) == codeStreamGone {
		c.recreateStream(ctx, topic)
		created, err = c.tryConsumer(ctx, topic, group)
	}
	if created {
		c.cfg.Logger.Warn("nats: the server has lost the consumer; made it again, from the first message of the stream",
			"topic", topic, "group", group, "consumer", ConsumerName(group))
	}
	if err == nil || transient(err) {
		return nil
	}
	return fmt.Errorf("nats: the consumer of group %q on topic %q at %s is gone: %w", group, topic, c.where(), err)
}

// Depth implements queue.Queue. Ready counts what the group was never given, InFlight what it has not settled, deliveries that
// wait for their redelivery included. A group that does not exist yet has all messages of the stream before it.
func (c *Conn) Depth(ctx context.Context, topic, group string) (queue.Depth, error) {
	unknown := queue.Depth{Ready: -1, InFlight: -1}
	if err := errors.Join(checkName("topic", topic), checkName("group", group)); err != nil {
		return unknown, err
	}
	cons, err := c.js.Consumer(ctx, StreamName(topic), ConsumerName(group))
	if codeOf(err) == codeConsumerGone {
		var info *jetstream.StreamInfo
		if info, err = c.streamInfo(ctx, topic); err == nil {
			return queue.Depth{Ready: int64(info.State.Msgs)}, nil
		}
	}
	if err != nil {
		return unknown, fmt.Errorf("nats: depth of group %q on topic %q at %s: %w", group, topic, c.where(), err)
	}
	info := cons.CachedInfo()
	return queue.Depth{Ready: int64(info.NumPending), InFlight: int64(info.NumAckPending)}, nil
}

// retry calls f until it succeeds, fails for good, or ctx or openTimeout ends.
func (c *Conn) retry(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	start := time.Now()
	for {
		try, done := context.WithTimeout(ctx, apiTimeout)
		err := f(try)
		done()
		if err == nil || !transient(err) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) && time.Since(start) > noJetStream {
			return err
		}
		t := time.NewTimer(retryEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w; the last answer was: %w", context.Cause(ctx), err)
		case <-c.done.Done():
			t.Stop()
			return queue.ErrClosed
		}
	}
}

// transient says whether the same request may work a moment later.
func transient(err error) bool {
	switch codeOf(err) {
	case codeNoPeers, codeNotAvailable, codeNotLeader, codeStreamOffline, codeStreamExists, codeConsumerExists:
		return true // the last two: somebody made it between the question and the order
	case 0:
		return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, natsgo.ErrTimeout) ||
			errors.Is(err, natsgo.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || offline(err)
	default:
		return false
	}
}

// codeOf is the JetStream error code in err, or 0.
func codeOf(err error) jetstream.ErrorCode {
	var api jetstream.JetStreamError
	if errors.As(err, &api) && api.APIError() != nil {
		return api.APIError().ErrorCode
	}
	return 0
}
