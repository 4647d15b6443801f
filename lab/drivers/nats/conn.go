package nats

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The connection's own timing: a server that is gone is left at once, one that hangs (SIGSTOP, a silent network) after one to
// one and a half seconds, and a write to it does not hold up the rest for longer.
const (
	dialTimeout   = 2 * time.Second
	pingInterval  = 500 * time.Millisecond
	pingsMissed   = 2
	reconnectWait = 50 * time.Millisecond
	writeTimeout  = 1500 * time.Millisecond
	headerReserve = 4096 // of the server's payload limit, which counts headers, too
)

// Conn is a queue.Queue over one NATS connection, which all its sessions share. It reconnects for ever. All methods may be
// called concurrently.
type Conn struct {
	cfg     settings
	nc      *natsgo.Conn
	js      jetstream.JetStream
	maxBody int
	closed  chan struct{} // the connection is gone for good
	done    context.Context
	cancel  context.CancelFunc // ends background checks
	checks  sync.WaitGroup

	mu       sync.Mutex
	sessions map[session]struct{}
	closing  bool
}

// session is an open producer or consumer.
type session interface {
	Close(ctx context.Context) error
	disconnected()
	reconnected()
}

var _ queue.Queue = (*Conn)(nil)

// OpenURL connects to the servers of rawURL, as the package comment describes it.
func OpenURL(ctx context.Context, rawURL string) (*Conn, error) {
	cfg, err := ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	return Open(ctx, cfg)
}

// Open connects. It tries each server once and takes at most two seconds for each. Errors name the servers without secrets.
func Open(ctx context.Context, cfg Config) (*Conn, error) {
	s, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("nats: connect to %s: %w", addresses(s.Servers), err)
	}
	c := &Conn{cfg: s, closed: make(chan struct{}), sessions: make(map[session]struct{})}
	c.done, c.cancel = context.WithCancel(context.Background())
	c.nc, err = natsgo.Connect(strings.Join(s.Servers, ","), c.options()...)
	if err != nil {
		c.cancel()
		return nil, fmt.Errorf("nats: connect to %s: %w: is the server up, and are user and password right?",
			addresses(s.Servers), err)
	}
	if c.js, err = jetstream.New(c.nc); err != nil {
		_ = c.Close(ctx)
		return nil, fmt.Errorf("nats: JetStream at %s: %w", addresses(s.Servers), err)
	}
	c.maxBody = max(int(c.nc.MaxPayload())-headerReserve, 1)
	return c, nil
}

func (c *Conn) options() []natsgo.Option {
	log := c.cfg.Logger
	return []natsgo.Option{
		natsgo.Name("havoq"),
		natsgo.Timeout(dialTimeout),
		natsgo.MaxReconnects(-1),
		natsgo.ReconnectWait(reconnectWait),
		natsgo.ReconnectJitter(reconnectWait, reconnectWait),
		// Without a buffer, a publish while disconnected is an error and nothing is written later, when its sender has long
		// been told that it is unknown.
		natsgo.ReconnectBufSize(-1),
		natsgo.PingInterval(pingInterval),
		natsgo.MaxPingsOutstanding(pingsMissed),
		natsgo.FlusherTimeout(writeTimeout),
		natsgo.DisconnectErrHandler(func(_ *natsgo.Conn, err error) {
			if err != nil {
				log.Warn("nats: connection lost", "error", err)
			}
			c.each(session.disconnected)
		}),
		natsgo.ReconnectHandler(func(nc *natsgo.Conn) {
			log.Info("nats: connected again", "server", nc.ConnectedAddr())
			c.each(session.reconnected)
		}),
		natsgo.ErrorHandler(func(_ *natsgo.Conn, sub *natsgo.Subscription, err error) {
			if sub != nil {
				log.Warn("nats: subscription", "subject", sub.Subject, "error", err)
				return
			}
			log.Warn("nats: connection", "error", err)
		}),
		natsgo.ClosedHandler(func(*natsgo.Conn) { close(c.closed) }),
	}
}

// addresses lists servers for messages, without user information.
func addresses(servers []string) string {
	out := make([]string, len(servers))
	for i, s := range servers {
		out[i] = "(unreadable address)"
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		if u, err := url.Parse(s); err == nil {
			out[i] = u.Host
		}
	}
	return strings.Join(out, ", ")
}

// where names the server that the connection uses, for messages.
func (c *Conn) where() string {
	if at := c.nc.ConnectedAddr(); at != "" {
		return at
	}
	return "no server (tried " + addresses(c.cfg.Servers) + ")"
}

func (c *Conn) each(f func(session)) {
	c.mu.Lock()
	all := make([]session, 0, len(c.sessions))
	for s := range c.sessions {
		all = append(all, s)
	}
	c.mu.Unlock()
	for _, s := range all {
		f(s)
	}
}

// add registers a session, unless the connection is being closed.
func (c *Conn) add(s session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return fmt.Errorf("nats: connection to %s: %w", addresses(c.cfg.Servers), queue.ErrClosed)
	}
	c.sessions[s] = struct{}{}
	return nil
}

func (c *Conn) remove(s session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, s)
}

// check runs f in the background until it returns; Close cancels its context and waits for it.
func (c *Conn) check(f func(ctx context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.checks.Go(func() { f(c.done) })
	}
}

// Caps implements queue.Queue.
func (c *Conn) Caps() queue.Caps {
	return queue.Caps{
		Driver:        "nats",
		ConfirmedSend: true,
		ConfirmedAck:  true,
		Attempts:      queue.AttemptsExact,
		Nack:          queue.NackRequeue,
		NackDelay:     true,
		Order:         queue.OrderTopic,
		BatchOrder:    true,
		HeaderOrder:   true,
		Dedup:         true,
		Depth:         true,
		MaxBody:       c.maxBody,
		AckTimeout:    c.cfg.AckTimeout,
	}
}

// Close closes the sessions that are still open, each within ctx, and then the connection.
func (c *Conn) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	var errs []error
	var closing sync.WaitGroup
	var mu sync.Mutex
	c.each(func(s session) {
		closing.Go(func() {
			if err := s.Close(ctx); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	})
	closing.Wait()
	c.cancel()
	c.checks.Wait()
	c.nc.Close()
	<-c.closed // the client calls it last, on every way to its end
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return errs[0]
	}
	return nil
}
