package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// Consumers names all consumers, in Crash and Restart.
const Consumers = "consumers"

// Crash ends one consumer ("consumer-1") or all that are up ("consumers") as a crash does: what it has in hand is dropped
// unprocessed, nothing more is settled, nothing is given back. The broker delivers again what was not acked, after its own rules;
// with Config.AckEarly there is nothing to deliver again. The evidence says what was in hand.
//
// An unknown name, and a consumer that is down already, are errors.
func (w *Workload) Crash(ctx context.Context, name string) (evidence string, err error) {
	return w.each(ctx, "crash", name, func(c *consumer) bool { return c.life != nil }, (*consumer).crash)
}

// Restart brings a crashed consumer back ("consumer-1", or "consumers": all that are down) with a new session under its old
// name. It retries until ctx ends, at most 30 s.
func (w *Workload) Restart(ctx context.Context, name string) (evidence string, err error) {
	return w.each(ctx, "restart", name, func(c *consumer) bool { return c.life == nil }, (*consumer).restart)
}

// each does the verb to every consumer that name means and that is fit for it, and joins what they say.
func (w *Workload) each(ctx context.Context, verb, name string, fit func(*consumer) bool,
	do func(*consumer, context.Context) (string, error),
) (string, error) {
	chosen, err := w.choose(name)
	if err != nil {
		return "", fmt.Errorf("workload: %s: %w", verb, err)
	}
	if err := w.lock(ctx); err != nil {
		return "", fmt.Errorf("workload: %s %s: %w", verb, name, err)
	}
	defer w.unlock()
	if w.closed {
		return "", fmt.Errorf("workload: %s %s: the workload is closed", verb, name)
	}
	var said []string
	var errs []error
	for _, c := range chosen {
		if !fit(c) {
			continue
		}
		text, err := do(c, ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("workload: %s %s: %w", verb, c.name, err))
			continue
		}
		said = append(said, c.name+": "+text)
	}
	if len(said)+len(errs) == 0 {
		return "", fmt.Errorf("workload: %s %s: it is %s already", verb, name, map[bool]string{true: "down", false: "up"}[verb == "crash"])
	}
	return strings.Join(said, "; "), errors.Join(errs...)
}

func (w *Workload) choose(name string) ([]*consumer, error) {
	if name == Consumers && len(w.consumers) > 0 {
		return w.consumers, nil
	}
	var known []string
	for _, c := range w.consumers {
		if c.name == name {
			return []*consumer{c}, nil
		}
		known = append(known, c.name)
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("no consumer %q: this workload has none", name)
	}
	if len(known) > 8 {
		known = append(known[:3], "…", known[len(known)-1])
	}
	return nil, fmt.Errorf("no consumer %q: use %q or one of %s", name, Consumers, strings.Join(known, ", "))
}

func (c *consumer) crash(ctx context.Context) (string, error) {
	l := c.life
	l.crash()
	select {
	case <-l.ended:
	case <-ctx.Done():
		return "", fmt.Errorf("it is still inside a call of its driver: %w", context.Cause(ctx))
	}
	c.life = nil
	c.inHand.Store(0)
	// An ended context is how a session is told to say no farewell: a driver that gave deliveries back would help.
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := l.session.Close(gone); err != nil && !errors.Is(err, context.Canceled) {
		return "", fmt.Errorf("crashed with %s, but its session did not end: %w", l.hand, err)
	}
	return "crashed with " + l.hand.String(), nil
}

func (h hand) String() string {
	processed := ""
	if h.unacked > 0 {
		processed = fmt.Sprintf("%d processed ones without a confirmed ack", h.unacked)
	}
	if h.received == 0 {
		return cmp.Or(processed, "no message in hand")
	}
	if processed != "" {
		processed = ", and " + processed
	}
	acked := h.acked
	if acked == "" {
		acked = "not acked"
	}
	return fmt.Sprintf("%d messages in hand (%s), %d of them not processed", h.received, acked, h.received-h.processed) + processed
}

// endSession bounds the driver's Close, which may talk to a broker that is not there.
func (l *life) endSession(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sessionEndLimit)
	defer cancel()
	return l.session.Close(ctx)
}

func (c *consumer) restart(ctx context.Context) (string, error) {
	began := time.Now()
	session, err := c.open(ctx)
	if err != nil {
		return "", err
	}
	c.start(session)
	return fmt.Sprintf("receives again, session opened in %s", time.Since(began).Round(time.Millisecond)), nil
}

func (c *consumer) open(ctx context.Context) (queue.Consumer, error) {
	return openSession(ctx, c.w, c.name, func(ctx context.Context) (queue.Consumer, error) {
		return c.w.cfg.Queue.Consumer(ctx, c.w.cfg.Topic, c.w.cfg.Group)
	})
}
