package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/havoqlab/havoq/queue"
)

const (
	readExpires   = time.Second            // of one request for messages
	readHeartbeat = 400 * time.Millisecond // without it, the reader's consumer is taken for gone
	readPace      = 100 * time.Millisecond // between tries
	readLife      = 30 * time.Second       // after which the server forgets the consumer of a reader that is gone
	maxRead       = 1024
	codeNoMessage = 10037
)

// reader is a queue.Reader: a consumer of its own that acks nothing, in the memory of one server. Where it is lost, with its
// server or a connection, another one goes on behind the last message that was read.
type reader struct {
	conn    *Conn
	topic   string
	subject string
	stream  string             // "": not found yet
	cons    jetstream.Consumer // nil: none at the moment
	read    uint64             // messages that cons has given
	next    uint64             // position of the next message
	missed  int64
	created time.Time // of the stream that was read; zero: none was yet
	alone   bool      // the stream has this subject only, so that its positions have no holes but for what is gone
}

var (
	_ queue.Readable = (*Conn)(nil)
	_ queue.Reader   = (*reader)(nil)
)

// Reader implements queue.Readable. The topic is the subject that messages are sent to; the stream that captures it may have any
// name, and other subjects. It must have limits retention: a work queue, or one with interest retention, keeps its messages for
// its consumers, and a further reader would change what they get.
func (c *Conn) Reader(_ context.Context, topic string) (queue.Reader, error) {
	if err := checkName("topic", topic); err != nil {
		return nil, err
	}
	return &reader{conn: c, topic: topic, subject: SubjectName(topic), next: 1}, nil
}

func (r *reader) error(what string, err error) error {
	return fmt.Errorf("nats: %s %q at %s: %w", what, r.topic, r.conn.where(), err)
}

// find looks for the stream that captures the subject.
func (r *reader) find(ctx context.Context) error {
	if r.stream != "" {
		return nil
	}
	name, err := r.conn.js.StreamNameBySubject(ctx, r.subject)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("no stream captures this subject: %w", queue.ErrNoTopic)
	}
	if err != nil {
		return err
	}
	info, err := r.info(ctx, name)
	if err != nil {
		return err
	}
	if policy := info.Config.Retention; policy != jetstream.LimitsPolicy {
		return fmt.Errorf("stream %q has %s retention, so that nobody can read it beside its consumers: a message is kept only for "+
			"them: %w; give the stream limits retention, or have the application tell what it gets and does (observe.collect)",
			name, strings.ToLower(policy.String()), queue.ErrRefused)
	}
	r.stream = name
	return nil
}

func (r *reader) info(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	s, err := r.conn.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		r.stream = ""
		return nil, fmt.Errorf("stream %q is gone: %w", stream, queue.ErrNoTopic)
	}
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// Bounds implements queue.Reader.
func (r *reader) Bounds(ctx context.Context) (first, last int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := r.find(ctx); err != nil {
		return 0, 0, r.error("look at", err)
	}
	info, err := r.info(ctx, r.stream)
	if err != nil {
		return 0, 0, r.error("look at", err)
	}
	if info.State.Msgs == 0 {
		return int64(info.State.LastSeq) + 1, int64(info.State.LastSeq), nil
	}
	if slices.Equal(info.Config.Subjects, []string{r.subject}) {
		return int64(info.State.FirstSeq), int64(info.State.LastSeq), nil
	}
	last, err = r.lastOfSubject(ctx)
	if err != nil {
		return 0, 0, r.error("look at", err)
	}
	return min(int64(info.State.FirstSeq), last+1), last, nil
}

// lastOfSubject asks the stream's leader, because a replica that answers instead may be behind.
func (r *reader) lastOfSubject(ctx context.Context) (int64, error) {
	body, err := json.Marshal(map[string]string{"last_by_subj": r.subject})
	if err != nil {
		return 0, err
	}
	answer, err := r.conn.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+r.stream, body)
	if err != nil {
		return 0, err
	}
	var got struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Seq int64 `json:"seq"`
		} `json:"message"`
	}
	switch err := json.Unmarshal(answer.Data, &got); {
	case err != nil:
		return 0, fmt.Errorf("an answer that is not understood: %w", err)
	case got.Error != nil && got.Error.ErrorCode == codeNoMessage:
		return 0, nil
	case got.Error != nil:
		return 0, got.Error
	}
	return got.Message.Seq, nil
}

// StartAt implements queue.Reader.
func (r *reader) StartAt(position int64) {
	r.next, r.cons = uint64(max(position, 1)), nil
}

// Missed implements queue.Reader.
func (r *reader) Missed() int64 { return r.missed }

// Receive implements queue.Reader.
func (r *reader) Receive(ctx context.Context, most int) ([]queue.Delivery, error) {
	most = min(most, maxRead)
	for {
		if err := ctx.Err(); err != nil {
			return nil, r.error("read", err)
		}
		if err := r.attach(ctx); err != nil {
			return nil, r.error("read", r.pause(ctx, err))
		}
		out, err := r.await(ctx)
		if err == nil && len(out) > 0 && most > 1 { // there is more, as a rule
			out, err = r.more(out, most-1)
		}
		if err != nil {
			r.cons = nil // what was under way is lost: another one goes on
		}
		switch {
		case len(out) > 0:
			return out, nil
		case err != nil && !offline(err):
			return nil, r.error("read", r.pause(ctx, err))
		case err != nil:
			_ = r.pause(ctx, err)
		}
	}
}

// pause keeps a caller that tries again at once from filling the network.
func (r *reader) pause(ctx context.Context, err error) error {
	select {
	case <-time.After(readPace):
	case <-ctx.Done():
	}
	return err
}

// attach makes a consumer that begins at the next position.
func (r *reader) attach(ctx context.Context) error {
	if r.cons != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := r.find(ctx); err != nil {
		return err
	}
	info, err := r.info(ctx, r.stream)
	if err != nil {
		return err
	}
	r.place(info)
	r.alone = slices.Equal(info.Config.Subjects, []string{r.subject})
	r.cons, err = r.conn.js.CreateConsumer(ctx, r.stream, jetstream.ConsumerConfig{
		Description:       readsAlong,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.next,
		FilterSubject:     r.subject,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: readLife,
		Replicas:          1,
		MemoryStorage:     true,
	})
	r.read = 0
	if err != nil {
		r.cons = nil
		return fmt.Errorf("make a consumer to read with: %w", err)
	}
	return nil
}

// place finds the next position in a stream that may not be as it was: cut at its front, made anew, or set back to what a replica
// had that was behind.
func (r *reader) place(info *jetstream.StreamInfo) {
	first, last := info.State.FirstSeq, info.State.LastSeq
	switch {
	case !r.created.IsZero() && !r.created.Equal(info.Created):
		r.missed++ // at least: what the old one still had, nobody knows
		r.next = max(first, 1)
	case first > r.next:
		r.missed += int64(first - r.next)
		r.next = first
	case !r.created.IsZero() && r.next > last+1:
		r.next = last + 1 // what was read behind that is lost, and its positions are given again
	}
	r.created = info.Created
}

// await waits a little for one message.
func (r *reader) await(parent context.Context) ([]queue.Delivery, error) {
	ctx, cancel := context.WithTimeout(parent, readExpires)
	defer cancel()
	batch, err := r.cons.Fetch(1, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(readHeartbeat))
	if err != nil {
		return nil, err
	}
	out, err := r.take(nil, batch)
	if errors.Is(err, context.DeadlineExceeded) && parent.Err() == nil {
		err = nil // no message was there
	}
	return out, err
}

// more takes what is there.
func (r *reader) more(out []queue.Delivery, n int) ([]queue.Delivery, error) {
	batch, err := r.cons.FetchNoWait(n)
	if err != nil {
		return out, err
	}
	return r.take(out, batch)
}

// errGap is a message that was lost on its way: nobody acks here, so it would not come again by itself.
var errGap = errors.New("a message was lost on its way")

func (r *reader) take(out []queue.Delivery, batch jetstream.MessageBatch) ([]queue.Delivery, error) {
	var bad error
	for m := range batch.Messages() { // to its end, because the client waits for that
		if bad != nil {
			continue
		}
		meta, err := m.Metadata()
		if err == nil && meta.Sequence.Consumer != r.read+1 {
			err = errGap
		}
		if bad = err; err != nil {
			continue
		}
		r.read++
		if meta.Sequence.Stream < r.next {
			continue
		}
		if r.alone { // the server passes over what is gone without a word
			r.missed += int64(meta.Sequence.Stream - r.next)
		}
		r.next = meta.Sequence.Stream + 1
		d := queue.Delivery{Topic: r.topic, Offset: int64(meta.Sequence.Stream), Attempt: 1}
		decode(m.Headers(), &d.Message, meta.Timestamp)
		d.Body = m.Data()
		out = append(out, d)
	}
	return out, errors.Join(bad, batch.Error())
}

// Unfinished implements queue.Reader. The group is the name of a consumer of the stream, durable or not.
func (r *reader) Unfinished(ctx context.Context, group string, upTo int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := r.find(ctx); err != nil {
		return -1, r.error("look at", err)
	}
	cons, err := r.conn.js.Consumer(ctx, r.stream, group)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return -1, r.error("look at", fmt.Errorf("stream %q has no consumer %q%s", r.stream, group, r.consumers(ctx)))
	}
	if err != nil {
		return -1, r.error("look at", fmt.Errorf("consumer %q: %w", group, err))
	}
	info := cons.CachedInfo()
	left := int64(info.NumPending) + int64(info.NumAckPending)
	switch {
	case info.Config.AckPolicy == jetstream.AckNonePolicy: // what was delivered counts as done, and may be in hand
		return -1, nil
	case int64(info.AckFloor.Stream) >= upTo:
		return 0, nil
	}
	return left, nil
}

// readsAlong describes the consumers of readers in the broker.
const readsAlong = "havoq reads along"

// consumers lists the stream's consumers for a message.
func (r *reader) consumers(ctx context.Context) string {
	s, err := r.conn.js.Stream(ctx, r.stream)
	if err != nil {
		return ""
	}
	var names []string
	for info := range s.ListConsumers(ctx).Info() {
		if len(names) < 10 && info.Config.Description != readsAlong { // nobody's group
			names = append(names, info.Name)
		}
	}
	if len(names) == 0 {
		return ": it has none"
	}
	slices.Sort(names)
	return "; it has " + strings.Join(names, ", ")
}

// Close implements queue.Reader.
func (r *reader) Close(ctx context.Context) error {
	if r.cons == nil {
		return nil
	}
	name := r.cons.CachedInfo().Name
	r.cons = nil
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	err := r.conn.js.DeleteConsumer(ctx, r.stream, name)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		r.conn.cfg.Logger.Info("nats: could not delete the consumer of a reader; the server forgets it by itself",
			"topic", r.topic, "after", readLife, "error", err)
	}
	return nil
}

// Stream is the name of the stream that captures the topic; "": not found yet.
func (r *reader) Stream() string { return r.stream }
