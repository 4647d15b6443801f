package history

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/havoqlab/havoq/queue"
)

// AppConfig says where an application's own records go: to exactly one of File, URL and nowhere (Off).
type AppConfig struct {
	// File is a path. Records are appended to it, each written before the call that tells it returns, so that they survive
	// kill -9. Processes that run at the same time need files of their own.
	File string
	// URL is that of a Collector. Records are sent in the background, soon after they are told.
	URL string
	// Token is the Collector's, if it has one.
	Token string
	// Off makes an App whose records go nowhere: for a service that runs without a Game Day.
	Off bool

	// Client names this process in reports. "": a name that no other process has.
	Client string
	// Group is the group of consumers that this process belongs to. Processed needs it.
	Group string
	// Input is the topic that messages are processed from, Output the one that they are sent to. "": they are not told.
	Input, Output string

	// Buffer is how many bytes may wait to be sent to URL. 0: 8 MiB, which is about 50,000 records. When it is full, records
	// are dropped, and the history says how many.
	Buffer int
	// Timeout limits one attempt to send to URL. 0: 5 s.
	Timeout time.Duration
	// Logger gets a line when records begin not to arrive, and when they do again. Nil: discard.
	Logger *slog.Logger
}

// App tells a history what an application has done, where the application does not use havoq's queue: which messages it has
// processed, and which it has sent, by the IDs that they have of themselves. All its methods may be called concurrently, also those
// of a nil App, whose error is ErrNoApp.
//
//	recorder, err := history.NewApp(history.AppConfig{File: "billing.jsonl", Group: "billing", Input: "orders"})
//	...
//	ctx = history.WithApp(ctx, recorder)
//	...
//	err := history.AppFrom(ctx).Processed(order.ID, "invoice "+invoice.ID) // the work is committed, the ack comes after
//
// A record that is lost on its way is told by the number that is missing. A history says so.
type App struct {
	config AppConfig
	name   string
	sink   appSink // nil: off

	mu     sync.Mutex
	seq    uint64 // of the next line
	line   []byte
	lost   uint64 // lines that sink did not take
	err    error  // the first reason
	closed bool
}

// appSink is where lines go. add is called with the App's lock held, and must be quick.
type appSink interface {
	add(line []byte) error
	// close waits for what is on its way, until ctx ends, and returns how many lines got lost that add had taken, and why.
	close(ctx context.Context) (lost uint64, err error)
}

var (
	// ErrNoApp is a record for which there is no App: WithApp was not called.
	ErrNoApp = errors.New("no recorder: give the context one with history.WithApp, or one that is Off")
	// ErrAppFull is a record that was dropped because too many wait to be sent. The history will say that it is missing.
	ErrAppFull = errors.New("dropped: too many records wait to be sent")
	// ErrAppClosed is a record that came after Close.
	ErrAppClosed = errors.New("the recorder is closed")
)

// NewApp starts the records of an application. Whether a Collector can be reached shows later, in the log and in the error of
// Close: the application's work does not wait for it. The caller must Close the App.
func NewApp(c AppConfig) (*App, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("history: record an application: %w", err)
	}
	if c.Off {
		return &App{config: c}, nil
	}
	var random [8]byte
	rand.Read(random[:]) // never fails
	a := &App{config: c, name: hex.EncodeToString(random[:])}
	a.config.Client = cmp.Or(c.Client, "app-"+a.name)
	var err error
	if c.File != "" {
		a.sink, err = newAppFile(c.File)
	} else {
		a.sink, err = newAppPoster(c)
	}
	if err != nil {
		return nil, fmt.Errorf("history: record an application: %w", err)
	}
	if err := a.begin(); err != nil {
		_, closing := a.sink.close(context.Background())
		return nil, errors.Join(err, closing)
	}
	return a, nil
}

func (a *App) begin() error {
	return a.tell(AppRecord{What: AppBegin, Client: a.config.Client, Group: a.config.Group, Topic: a.config.Input})
}

func (c *AppConfig) check() error {
	places := 0
	for _, given := range []bool{c.File != "", c.URL != "", c.Off} {
		if given {
			places++
		}
	}
	switch {
	case places != 1:
		return fmt.Errorf("exactly one of File, URL and Off must be set, not %d", places)
	case c.Token != "" && c.URL == "":
		return errors.New("a Token without a URL")
	case c.Buffer < 0 || c.Timeout < 0:
		return errors.New("a negative Buffer or Timeout")
	case c.Buffer > 0 && c.Buffer < 2*maxAppLine:
		return fmt.Errorf("a Buffer of %d bytes: at least %d are needed", c.Buffer, 2*maxAppLine)
	case len(c.Output) > maxAppName || !utf8.ValidString(c.Output): // the others are in the first line
		return fmt.Errorf("Output is not UTF-8, or has more than %d bytes", maxAppName)
	}
	return nil
}

// Processed tells that the work for the message with this ID is done, to be called after it is committed and before the message is
// acked. effect is what it did ("invoice 17"), by which a judge can tell the same effect told twice from two effects; it may be "".
func (a *App) Processed(id, effect string) error {
	if a == nil {
		return noApp(AppProcessed, id)
	}
	return a.tell(AppRecord{What: AppProcessed, ID: id, Effect: effect, Client: a.config.Client, Group: a.config.Group, Topic: a.config.Input})
}

// Sending tells that a message with this ID is about to be sent. Without it a message that is found, and whose sender was killed
// before Sent, was never sent for all that a judge can know.
func (a *App) Sending(id string) error {
	if a == nil {
		return noApp(AppSending, id)
	}
	return a.tell(AppRecord{What: AppSending, ID: id, Client: a.config.Client, Topic: a.config.Output})
}

// Sent tells what came of sending a message: OK if the broker confirmed it, Failed if it proved that it did not take it, and
// Unknown in every other case, a time-out among them. detail is the error's text, and may be ""; one of more than 4096 bytes is
// cut.
func (a *App) Sent(id string, outcome queue.Outcome, detail string) error {
	if a == nil {
		return noApp(AppSent, id)
	}
	if detail = strings.ToValidUTF8(detail, "\uFFFD"); len(detail) > maxAppText {
		const note = "… (cut)"
		detail = strings.ToValidUTF8(detail[:maxAppText-len(note)], "") + note
	}
	return a.tell(AppRecord{What: AppSent, ID: id, Outcome: outcome, Client: a.config.Client, Topic: a.config.Output, Detail: detail})
}

func noApp(what AppWhat, id string) error {
	return fmt.Errorf("history: %s %.80q: %w", what, id, ErrNoApp)
}

// tell numbers r and gives it to the sink. A record that the format does not allow takes no number: it is the caller's error.
func (a *App) tell(r AppRecord) error {
	if a.sink == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return fmt.Errorf("history: %s %.80q: %w", r.What, r.ID, ErrAppClosed)
	}
	return a.add(r)
}

// add is tell with the lock held.
func (a *App) add(r AppRecord) error {
	r.App, r.Seq, r.At = a.name, a.seq, time.Now()
	line, err := r.AppendLine(a.line[:0])
	if err != nil {
		return fmt.Errorf("history: %s %.80q: %w", r.What, r.ID, err)
	}
	a.line = line
	a.seq++
	if err := a.sink.add(line); err != nil {
		a.lost++
		a.err = cmp.Or(a.err, err)
		return fmt.Errorf("history: %s %.80q: %w", r.What, r.ID, err)
	}
	return nil
}

// Close ends the records and waits until they have arrived, at the latest until ctx ends, and 10 s if it never does. If any were
// lost, since NewApp, it is an error that says how many of how many. It may be called twice.
func (a *App) Close(ctx context.Context) error {
	if a == nil {
		return fmt.Errorf("history: close: %w", ErrNoApp)
	}
	if a.sink == nil {
		return nil
	}
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	_ = a.add(AppRecord{What: AppEnd}) // it counts as lost below
	a.mu.Unlock()
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, appCloseLimit)
		defer cancel()
	}
	lost, err := a.sink.close(ctx)
	a.mu.Lock() // nothing is told any more, but Close may be called twice at once
	defer a.mu.Unlock()
	a.lost += lost
	switch err = cmp.Or(a.err, err); {
	case a.lost > 0:
		return fmt.Errorf("history: %d of %d records of this application are not on record: %w", a.lost, a.seq, err)
	case err != nil:
		return fmt.Errorf("history: close the records of this application: %w", err)
	}
	return nil
}

const appCloseLimit = 10 * time.Second

type appKey struct{}

// WithApp gives a context the App that AppFrom finds.
func WithApp(ctx context.Context, a *App) context.Context {
	return context.WithValue(ctx, appKey{}, a)
}

// AppFrom returns the App that WithApp gave to ctx, or nil, whose methods return ErrNoApp: a recorder that was forgotten must not
// look like a service that did nothing.
func AppFrom(ctx context.Context) *App {
	a, _ := ctx.Value(appKey{}).(*App)
	return a
}
