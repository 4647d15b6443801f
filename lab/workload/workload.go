package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// Workload is a load that runs. Its methods may be called concurrently.
type Workload struct {
	cfg       Config
	noise     *noise
	schedule  *schedule // nil: closed loop
	tracks    []*track
	producers []*producer
	consumers []*consumer
	measure   *measure // nil unless benchmarking

	sendCtx    context.Context // of every Produce; ends when the producers give up
	stopSends  context.CancelFunc
	stop       chan struct{} // closed: no new messages
	giveUp     chan struct{} // closed: outcomes stand as they are
	stopOnce   sync.Once
	giveUpOnce sync.Once

	stopSamples context.CancelFunc
	sampled     chan struct{} // closed when the sampler has ended
	control     chan struct{} // a lock that may be held across waits: capacity 1
	closed      bool          // guarded by control
}

// Start validates cfg, opens all sessions and begins. Opening is retried until ctx ends, at most 30 s for one session. ctx bounds
// only this: the load goes on until Close, which must be called.
func Start(ctx context.Context, cfg Config) (*Workload, error) {
	return start(ctx, cfg, nil)
}

func start(ctx context.Context, cfg Config, m *measure) (*Workload, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w := &Workload{
		cfg: cfg, noise: newNoise(cfg.Seed, cfg.Size), measure: m,
		stop: make(chan struct{}), giveUp: make(chan struct{}),
		sampled: make(chan struct{}), control: make(chan struct{}, 1),
	}
	w.sendCtx, w.stopSends = context.WithCancel(context.Background())
	sendSessions, receiveSessions, err := w.openAll(ctx)
	if err != nil {
		w.stopSends()
		return nil, err
	}
	// The schedule begins when all sessions are open, so that no message is due before it can be sent.
	if cfg.Rate > 0 {
		w.schedule = newSchedule(cfg.Start, cfg.Rate)
	}
	for i, session := range sendSessions {
		w.tracks = append(w.tracks, new(track))
		w.producers = append(w.producers, newProducer(w, i+1, session))
	}
	for i, session := range receiveSessions {
		w.consumers[i].start(session)
	}
	for _, p := range w.producers {
		go p.run()
	}
	samples, stop := context.WithCancel(context.Background())
	w.stopSamples = stop
	go w.sample(samples)
	return w, nil
}

// openAll opens consumers first, because a group of some brokers gets only what comes after it.
func (w *Workload) openAll(ctx context.Context) (ps []queue.Producer, cs []queue.Consumer, err error) {
	defer func() {
		if err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sessionEndLimit)
		defer cancel()
		for _, c := range cs {
			err = errors.Join(err, c.Close(ctx))
		}
		for _, p := range ps {
			err = errors.Join(err, p.Close(ctx))
		}
	}()
	for i := range w.cfg.Consumers {
		c := newConsumer(w, i+1)
		session, err := c.open(ctx)
		if err != nil {
			return ps, cs, fmt.Errorf("workload: open %s: %w", c.name, err)
		}
		w.consumers, cs = append(w.consumers, c), append(cs, session)
	}
	for i := range w.cfg.Producers {
		name := producerName(i + 1)
		session, err := openSession(ctx, w, name, func(ctx context.Context) (queue.Producer, error) {
			return w.cfg.Queue.Producer(ctx, w.cfg.Topic)
		})
		if err != nil {
			return ps, cs, fmt.Errorf("workload: open %s: %w", name, err)
		}
		ps = append(ps, session)
	}
	return ps, cs, nil
}

// openSession retries with back-off until ctx ends, at most openLimit. A closed queue stays closed, and is not asked again.
func openSession[S any](ctx context.Context, w *Workload, name string, open func(context.Context) (S, error)) (S, error) {
	ctx, cancel := context.WithTimeout(queue.WithClient(ctx, name), openLimit)
	defer cancel()
	jitter := rand.New(rand.NewPCG(w.cfg.Seed, uint64(len(name))))
	for n := 1; ; n++ {
		session, err := open(ctx)
		if err == nil || errors.Is(err, queue.ErrClosed) {
			return session, err
		}
		w.cfg.Logger.Debug("workload: open", "client", name, "try", n, "error", err)
		if !wait(ctx, backoff(jitter, n)) {
			return session, fmt.Errorf("no session after %d tries: %w", n, err)
		}
	}
}

// SetRate changes the rate of all producers together, from now on: the schedule bends without a step. It is an error for a rate
// that is not positive (StopProducers ends the load) and for a closed loop, which has no rate.
func (w *Workload) SetRate(perSecond float64) error {
	if w.schedule == nil {
		return errors.New("workload: set the rate: this load is a closed loop, without a rate; start it with one")
	}
	if !validRate(perSecond) {
		return fmt.Errorf("workload: set the rate: %v/s: use above 0 to %d", perSecond, maxRate)
	}
	w.schedule.setRate(perSecond)
	for _, p := range w.producers {
		p.inbox.nudge()
	}
	return nil
}

// StopProducers ends the schedule and waits until every message that was offered has its outcome: those in flight get theirs, and
// those that wait for a retry are retried until Config.Retry has passed since their first attempt. What waited in the backlog is
// not sent, and recorded so.
//
// If ctx ends first (or Config.Retry and a little have passed), what is undecided is given up: its outcome stands as it is, failed
// or in doubt, and the error says how many there were. That takes at most 5 s more.
func (w *Workload) StopProducers(ctx context.Context) error {
	w.stopNew()
	limit := max(0, w.cfg.Retry) + giveUpGrace
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, p := range w.producers {
		select {
		case <-p.ended:
			continue
		case <-ctx.Done():
		}
		s := w.Stats()
		w.giveUpProducers()
		if undecided := s.InFlight + s.Retrying; undecided > 0 {
			return fmt.Errorf("workload: stop the producers: %d of %d messages are undecided (%d without an answer, %d to be tried "+
				"again), and stay so: %w%s", undecided, s.Offered, s.InFlight, s.Retrying, context.Cause(ctx), lastly(s.LastError))
		}
		return nil
	}
	return nil
}

func (w *Workload) stopNew() {
	w.stopOnce.Do(func() {
		if w.schedule != nil {
			w.schedule.end()
		}
		close(w.stop)
	})
}

func lastly(text string) string {
	if text == "" {
		return ""
	}
	return "; the last error of a send was: " + text
}

// giveUpProducers ends the producers' loops without waiting for outcomes.
func (w *Workload) giveUpProducers() {
	w.stopNew()
	w.giveUpOnce.Do(func() {
		w.stopSends()
		close(w.giveUp)
	})
	for _, p := range w.producers {
		<-p.ended // bounded: a loop waits giveUpGrace for results and as long for its sender
	}
}

// Close ends the load: producers are given up if they were not stopped before, consumers finish and settle what they have in hand
// until ctx ends, and all sessions are closed. The queue stays open. It may be called twice. Drivers that do not answer may hold it
// some seconds longer than ctx.
func (w *Workload) Close(ctx context.Context) error {
	if err := w.lock(ctx); err != nil {
		return fmt.Errorf("workload: close: %w", err)
	}
	defer w.unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	w.giveUpProducers()
	var errs []error
	for _, c := range w.consumers {
		if c.life != nil {
			c.life.leave()
		}
	}
	for _, c := range w.consumers {
		errs = append(errs, c.close(ctx))
	}
	for _, p := range w.producers {
		if err := p.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("workload: close %s: %w", p.name, err))
		}
	}
	w.stopSamples()
	<-w.sampled
	return errors.Join(errs...)
}

func (p *producer) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sessionEndLimit)
	defer cancel()
	return p.session.Close(ctx)
}

// close waits for what is in hand, or drops it when ctx ends.
func (c *consumer) close(ctx context.Context) error {
	l := c.life
	if l == nil {
		return nil
	}
	var errs []error
	select {
	case <-l.ended:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("workload: close %s: dropped what it had in hand: %w", c.name, context.Cause(ctx)))
		l.crash()
		select {
		case <-l.ended:
		case <-time.After(giveUpGrace):
			return fmt.Errorf("workload: close %s: it is still inside a call of its driver", c.name)
		}
	}
	l.crash() // frees the context
	c.life = nil
	c.inHand.Store(0)
	if err := l.endSession(context.WithoutCancel(ctx)); err != nil {
		errs = append(errs, fmt.Errorf("workload: close %s: %w", c.name, err))
	}
	return errors.Join(errs...)
}

func (w *Workload) lock(ctx context.Context) error {
	select { // first, so that Close works with a context that has ended
	case w.control <- struct{}{}:
		return nil
	default:
	}
	select {
	case w.control <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another call is still at work: %w", context.Cause(ctx))
	}
}

func (w *Workload) unlock() { <-w.control }

// record leaves the time to the recorder, so that the order of events is the order of their times.
func (w *Workload) record(e history.Event) {
	if w.cfg.Recorder != nil {
		w.cfg.Recorder.Record(e)
	}
}

// processed tells the track, if the message is of one of this load's tracks.
func (w *Workload) processed(id queue.Identity) {
	if id.Producer >= 1 && int(id.Producer) <= len(w.tracks) && id.Epoch == 0 && id.Stream == 0 {
		w.tracks[id.Producer-1].process(id.Seq)
	}
}
