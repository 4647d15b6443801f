package queue_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/queue"
)

// stub is a queue whose verbs do nothing and allocate nothing.
type stub struct {
	openErr error
	log     *[]string
	ds      []queue.Delivery
	closed  int
}

func (s *stub) say(what string) {
	if s.log != nil {
		*s.log = append(*s.log, what)
	}
}

func (s *stub) Producer(context.Context, string) (queue.Producer, error) {
	s.say("open")
	if s.openErr != nil {
		return nil, s.openErr
	}
	return stubProducer{s}, nil
}

func (s *stub) Consumer(context.Context, string, string) (queue.Consumer, error) {
	s.say("open")
	if s.openErr != nil {
		return nil, s.openErr
	}
	return stubConsumer{s}, nil
}

func (s *stub) Depth(context.Context, string, string) (queue.Depth, error) {
	return queue.Depth{Ready: 3, InFlight: 4}, nil
}
func (s *stub) Caps() queue.Caps            { return queue.Caps{Driver: "stub"} }
func (s *stub) Close(context.Context) error { s.say("close queue"); return nil }

type stubProducer struct{ *stub }

func (s stubProducer) Produce(_ context.Context, batch []queue.Message, done func(int, queue.Result)) {
	s.say("produce")
	for i := range batch {
		done(i, queue.Result{Offset: int64(i)})
	}
}
func (s stubProducer) Close(context.Context) error { s.say("close"); s.closed++; return nil }

type stubConsumer struct{ *stub }

func (s stubConsumer) Receive(_ context.Context, max int) ([]queue.Delivery, error) {
	s.say("receive")
	return s.ds[:min(max, len(s.ds))], nil
}

func (s stubConsumer) Settle(context.Context, queue.Settlement, []queue.Delivery) []error {
	s.say("settle")
	return nil
}
func (s stubConsumer) Close(context.Context) error { s.say("close"); s.closed++; return nil }

// logged returns hooks that log their name and verb, before and after.
func logged(name string, log *[]string, sessions *[]queue.Session) queue.Hooks {
	enter := func(s *queue.Session, verb string) func() {
		*log = append(*log, name+" "+verb)
		*sessions = append(*sessions, *s)
		return func() { *log = append(*log, "/"+name) }
	}
	return queue.Hooks{
		Open: func(ctx context.Context, s *queue.Session, next func(context.Context) error) error {
			defer enter(s, "open")()
			return next(ctx)
		},
		Produce: func(ctx context.Context, s *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			defer enter(s, "produce")()
			next(ctx, batch, done)
		},
		Receive: func(ctx context.Context, s *queue.Session, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			defer enter(s, "receive")()
			return next(ctx, max)
		},
		Settle: func(ctx context.Context, s *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			defer enter(s, "settle")()
			return next(ctx, how, ds)
		},
		Close: func(ctx context.Context, s *queue.Session, next queue.CloseFunc) error {
			defer enter(s, "close")()
			return next(ctx)
		},
	}
}

func TestHooksRunOutermostFirst(t *testing.T) {
	var log []string
	var sessions []queue.Session
	inner := &stub{log: &log, ds: make([]queue.Delivery, 3)}
	q := queue.Wrap(inner, logged("outer", &log, &sessions), queue.Hooks{}, logged("inner", &log, &sessions))
	ctx := t.Context()
	p, _ := q.Producer(ctx, "orders")
	c, _ := q.Consumer(ctx, "orders", "workers")
	calls := map[string]func(){
		"produce": func() { queue.Send(ctx, p, queue.Message{}) },
		"receive": func() { _, _ = c.Receive(ctx, 1) },
		"settle":  func() { c.Settle(ctx, queue.Ack(), nil) },
		"close":   func() { _ = c.Close(ctx) },
		"open":    func() { _, _ = q.Producer(ctx, "orders") },
	}
	for verb, call := range calls {
		log = nil
		call()
		want := strings.ReplaceAll("outer X|inner X|X|/inner|/outer", "X", verb)
		if got := strings.Join(log, "|"); got != want {
			t.Errorf("%s ran as %s, want %s", verb, got, want)
		}
	}
	if got := q.Caps().Driver; got != "stub" {
		t.Errorf("caps are of %q", got)
	}
	if d, err := q.Depth(ctx, "orders", "workers"); err != nil || d.Total() != 7 {
		t.Errorf("depth %+v, %v", d, err)
	}
	log = nil
	if err := q.Close(ctx); err != nil || !slices.Equal(log, []string{"close queue"}) {
		t.Errorf("close: %v, %v", log, err)
	}
}

// Every session has its own value, which is the same in all its calls.
func TestSession(t *testing.T) {
	var log []string
	var sessions []queue.Session
	q := queue.Wrap(&stub{}, logged("hook", &log, &sessions))
	ctx := t.Context()
	p, _ := q.Producer(ctx, "orders")
	c, _ := q.Consumer(ctx, "orders", "workers")
	queue.Send(ctx, p, queue.Message{})
	c.Settle(ctx, queue.Ack(), nil)
	caps := queue.Caps{Driver: "stub"}
	producer := queue.Session{ID: 1, Topic: "orders", Caps: caps}
	consumer := queue.Session{ID: 2, Topic: "orders", Group: "workers", Caps: caps}
	if want := []queue.Session{producer, consumer, producer, consumer}; !slices.Equal(sessions, want) {
		t.Errorf("sessions %+v, want %+v", sessions, want)
	}
}

func TestOpenHook(t *testing.T) {
	boom := errors.New("boom")
	type next = func(context.Context) error
	for _, c := range []struct {
		name   string
		inner  error
		open   func(context.Context, next) error
		want   error
		closed int
	}{
		{"passes on", nil, func(ctx context.Context, n next) error { return n(ctx) }, nil, 0},
		{"inner error", boom, func(ctx context.Context, n next) error { return n(ctx) }, boom, 0},
		{"refuses before", nil, func(context.Context, next) error { return boom }, boom, 0},
		{"refuses after, and what was opened is closed", nil, func(ctx context.Context, n next) error { return errors.Join(n(ctx), boom) }, boom, 1},
		{"opens nothing", nil, func(context.Context, next) error { return nil }, queue.ErrRefused, 0},
		{"hides an error", boom, func(ctx context.Context, n next) error { _ = n(ctx); return nil }, queue.ErrRefused, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := &stub{openErr: c.inner}
			q := queue.Wrap(inner, queue.Hooks{Open: func(ctx context.Context, _ *queue.Session, n func(context.Context) error) error {
				return c.open(ctx, n)
			}})
			p, perr := q.Producer(t.Context(), "orders")
			s, cerr := q.Consumer(t.Context(), "orders", "workers")
			if !errors.Is(perr, c.want) || !errors.Is(cerr, c.want) || (p == nil) != (c.want != nil) || (s == nil) != (c.want != nil) {
				t.Errorf("producer %v, %v; consumer %v, %v; want %v", p, perr, s, cerr, c.want)
			}
			if inner.closed != 2*c.closed {
				t.Errorf("%d sessions closed, want %d", inner.closed, 2*c.closed)
			}
		})
	}
}

// What Open leaves in the session is there in its other calls.
func TestSessionState(t *testing.T) {
	opened := 0
	var seen []any
	q := queue.Wrap(&stub{}, queue.Hooks{
		Open: func(ctx context.Context, s *queue.Session, next func(context.Context) error) error {
			opened++
			s.State = opened
			return next(ctx)
		},
		Produce: func(ctx context.Context, s *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			seen = append(seen, s.State)
			next(ctx, batch, done)
		},
		Close: func(ctx context.Context, s *queue.Session, next queue.CloseFunc) error {
			seen = append(seen, s.State)
			return next(ctx)
		},
	})
	for range 2 {
		p, err := q.Producer(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		queue.Send(t.Context(), p, queue.Message{})
		_ = p.Close(t.Context())
	}
	if want := []any{1, 1, 2, 2}; !slices.Equal(seen, want) {
		t.Errorf("%v, want %v", seen, want)
	}
}

// careless returns nil pointers along with its errors, as a driver easily does.
type careless struct {
	queue.Queue
	err error
}

type noSession struct {
	queue.Producer
	queue.Consumer
	touched bool
}

func (s *noSession) Close(context.Context) error { s.touched = true; return nil }

func (q careless) Producer(context.Context, string) (queue.Producer, error) {
	var none *noSession
	return none, q.err
}

func (q careless) Consumer(context.Context, string, string) (queue.Consumer, error) {
	var none *noSession
	return none, q.err
}

func TestANilPointerWithAnErrorIsNoSession(t *testing.T) {
	boom := errors.New("boom")
	q := queue.Wrap(careless{&stub{}, boom}, queue.Hooks{})
	if p, err := q.Producer(t.Context(), "orders"); !errors.Is(err, boom) || p != nil {
		t.Error(p, err)
	}
	if c, err := q.Consumer(t.Context(), "orders", "workers"); !errors.Is(err, boom) || c != nil {
		t.Error(c, err)
	}
}

// An idle wrapper, and the way through a hook, cost no memory.
func TestWrappingAllocatesNothing(t *testing.T) {
	passing := queue.Hooks{
		Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			next(ctx, batch, done)
		},
		Receive: func(ctx context.Context, _ *queue.Session, max int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			return next(ctx, max)
		},
		Settle: func(ctx context.Context, _ *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
			return next(ctx, how, ds)
		},
	}
	for name, q := range map[string]queue.Queue{
		"idle":  queue.Wrap(&stub{ds: make([]queue.Delivery, 8)}, queue.Hooks{}, queue.Hooks{}),
		"hooks": queue.Wrap(&stub{ds: make([]queue.Delivery, 8)}, passing, passing),
	} {
		ctx := t.Context()
		p, _ := q.Producer(ctx, "orders")
		c, _ := q.Consumer(ctx, "orders", "workers")
		batch := make([]queue.Message, 8)
		done := func(int, queue.Result) {}
		if n := testing.AllocsPerRun(100, func() {
			p.Produce(ctx, batch, done)
			ds, _ := c.Receive(ctx, 8)
			c.Settle(ctx, queue.Ack(), ds)
		}); n != 0 {
			t.Errorf("%s: %v allocations for a batch produced, received and settled", name, n)
		}
	}
}
