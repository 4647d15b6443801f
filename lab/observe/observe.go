// Package observe sees what an application that knows nothing of havoq was given and what it did, and tells it as a history: by
// reading the topics that the application reads and writes, and by listing what it left behind in a database, a web service or a
// program's output.
//
// # What is told
//
// Before anything else, a [history.Source] for each source, with what that cannot see. Then, as it is found:
//
//   - a message in the input topic is an Invoke whose outcome is OK: it was sent, and the broker has it. At is when it was seen,
//     Intended when it was sent, as far as the message or the broker says;
//   - a message in the output topic is a Processed of the message whose ID it carries, in the group "topic invoices";
//   - an ID in a listing that was not there before is a Processed in the group "table orders", once for each row;
//   - what the application posts itself is a Processed in the group "app billing".
//
// An effect is never told before its cause: what is found first waits for the input message. What waits still at the end was
// never sent.
//
// # What is left out
//
// What was there before the run, and input messages behind the cut at the beginning of the drain, are not judged, nor is what
// came of them; Stats counts them.
//
// # What is not known
//
// A message without an ID, two input messages with one ID, and messages that left a topic before they could be read are a
// history.Gap (GapSource): with one of them, no verdict about all messages is possible.
package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// Config says what to observe. Recorder, Run, Start and Input are needed, and at least one of Output, Effect and Collect.
type Config struct {
	Recorder history.Recorder
	Run      uint32
	Start    time.Time // of the history's clock

	Queue  queue.Readable
	Input  Topic
	Output *Output
	Effect *Effect
	// Collect has the application post what it has processed.
	Collect *Collect

	// Group is the application's own consumer of the input; "": not known, and then Grace alone ends the drain.
	Group string
	// Grace is how long nothing new must be seen at the end. Default 10s.
	Grace time.Duration
	// Fresh says that the broker was empty when the run began, so that everything in its topics belongs to it.
	Fresh  bool
	Logger *slog.Logger // nil: nobody is told
	// Warn is told, while the run can still be mended, what will keep its end from being proven. It is called by another goroutine,
	// and not after Drain or Close. nil: nobody is told.
	Warn func(text string)
}

// Topic is a topic and where the ID of its messages is.
type Topic struct {
	Name string
	ID   history.Expression
}

// Relation is how many outputs an input has.
type Relation uint8

// The relations.
const (
	OneToOne  Relation = iota
	OneToMany          // one or more
	Filtered           // none or one: one that is missing is no loss
)

// Output is the topic to which the application sends what came of an input message.
type Output struct {
	Topic
	Group    string // "topic invoices"
	Relation Relation
	// Own is, of OneToMany, where the output's own ID is, which must not repeat. nil: repetitions are not seen.
	Own *history.Expression
}

// Effect is a listing of the IDs that the application has processed.
type Effect struct {
	Lister
	Group   string        // "table orders"
	Every   time.Duration // default 1s
	Timeout time.Duration // of one listing; default 10s
}

// Lister lists IDs. List calls found for each, in any order, as often as it is there; an ID may be empty, which is one that is
// missing. It ends with the first error of found. An error that wraps ErrNothingYet: there is nothing to list yet.
type Lister interface {
	List(ctx context.Context, found func(id string) error) error
}

// ErrNothingYet is a listing of something that does not exist yet.
var ErrNothingYet = errors.New("there is nothing to list yet")

// Observer observes. Its methods may be called concurrently, but for Begin, Start and Close.
type Observer struct {
	cfg    Config
	book   *book
	input  *topicReader
	output *topicReader // nil: none
	effect *listing     // nil: none
	posts  *posts       // nil: none

	stop     context.CancelFunc
	watchers sync.WaitGroup
	drained  atomic.Bool
}

// Open checks the Config and looks at what is there before the application is started. ctx bounds it.
func Open(ctx context.Context, cfg Config) (*Observer, error) {
	if cfg.Recorder == nil || cfg.Queue == nil || cfg.Input.Name == "" || cfg.Output == nil && cfg.Effect == nil && cfg.Collect == nil {
		return nil, errors.New("observe: Config needs a Recorder, a Queue, an Input, and an Output, an Effect or Collect")
	}
	if cfg.Grace <= 0 {
		cfg.Grace = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ids, err := history.NewIDs(history.IDsConfig{Run: cfg.Run, Producer: 1})
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	o := &Observer{cfg: cfg, stop: func() {}}
	o.book = newBook(cfg, ids)
	err = o.open(ctx)
	if err == nil {
		o.sources()
		err = o.collect()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("observe: %w", err), o.Close(context.WithoutCancel(ctx)))
	}
	return o, nil
}

func (o *Observer) open(ctx context.Context) (err error) {
	o.input, err = o.openTopic(ctx, "input", o.cfg.Input.Name, o.book.sent)
	if err != nil {
		return err
	}
	if out := o.cfg.Output; out != nil {
		if o.output, err = o.openTopic(ctx, "output", out.Name, o.book.came); err != nil {
			return err
		}
	}
	if e := o.cfg.Effect; e != nil {
		o.effect = newListing(o, e)
		if err := o.effect.before(ctx); err != nil {
			return err
		}
	}
	return nil
}

// collect begins to take records: after the sources were told.
func (o *Observer) collect() (err error) {
	if o.cfg.Collect != nil {
		o.posts, err = o.listen()
	}
	return err
}

// Start begins to observe and returns when all topics are there, or ctx ends. Close must be called.
func (o *Observer) Start(ctx context.Context) error {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.stop = stop
	for _, t := range o.topics() {
		o.watchers.Go(func() { t.run(watching) })
	}
	if o.effect != nil {
		o.watchers.Go(func() { o.effect.run(watching) })
	}
	o.watchers.Go(func() { o.sample(watching) })
	if o.cfg.Warn != nil && o.cfg.Group != "" {
		o.watchers.Go(func() { o.checkGroup(watching) })
	}
	for _, t := range o.topics() {
		select {
		case <-t.there:
		case <-ctx.Done():
			return fmt.Errorf("observe: %w: %w; does your application make it? Is observe.%s.topic right?", t.why(), context.Cause(ctx), t.what)
		}
	}
	return nil
}

func (o *Observer) topics() []*topicReader {
	if o.output == nil {
		return []*topicReader{o.input}
	}
	return []*topicReader{o.input, o.output}
}

// Close ends the observing and what it has made at the broker.
func (o *Observer) Close(ctx context.Context) error {
	o.stop()
	o.watchers.Wait()
	var errs []error
	for _, t := range []*topicReader{o.input, o.output} {
		if t != nil {
			errs = append(errs, t.reader.Close(ctx))
		}
	}
	if o.posts != nil {
		errs = append(errs, o.posts.close(ctx))
	}
	return errors.Join(errs...)
}
