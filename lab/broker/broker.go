// Package broker runs the embedded engine: one nats-server with JetStream in this process, started from a configuration in
// the engine's own text format. What the engine would only write into its log before it stops is returned as an error.
package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// DefaultReadyTimeout bounds Start where Config says nothing.
const DefaultReadyTimeout = 30 * time.Second

// Config describes one server. Text must set everything that matters; nothing is added to it.
type Config struct {
	// Text is the configuration in the nats-server format. It is required: an unknown key in it is an error.
	Text string
	// LogFile is appended to; "" discards the log (errors at the start are still returned by Start).
	LogFile string
	// ReadyTimeout bounds Start, the recovery of the stored streams included. 0: DefaultReadyTimeout.
	ReadyTimeout time.Duration
}

// Server is one running engine. Its methods may be called from any goroutine.
type Server struct {
	engine  *server.Server
	log     *logFile
	started chan struct{} // closed when the engine's own start has returned
}

// Start runs a server and returns when it accepts clients. It takes no signals: the caller decides when to shut down. If the
// server cannot start, the reason that it would have logged is the error, and nothing is left running.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	opts, err := parse(cfg.Text)
	if err != nil {
		return nil, err
	}
	log, err := openLog(cfg.LogFile, opts.Logtime)
	if err != nil {
		return nil, fmt.Errorf("broker %q: open its log: %w; give a log file in a folder that can be written", opts.ServerName, err)
	}
	engine, err := server.NewServer(opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("broker %q: configure: %w", opts.ServerName, err), log.close())
	}
	engine.SetLoggerV2(log, opts.Debug, opts.Trace, opts.TraceVerbose)
	s := &Server{engine: engine, log: log, started: make(chan struct{})}
	timeout := cfg.ReadyTimeout
	if timeout <= 0 {
		timeout = DefaultReadyTimeout
	}
	if err := s.start(ctx, timeout); err != nil {
		return nil, errors.Join(fmt.Errorf("broker %q: %w", opts.ServerName, err), s.Shutdown(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func parse(text string) (*server.Options, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("broker: the configuration text is empty; give at least a listen address and a store_dir")
	}
	opts := &server.Options{}
	if err := opts.ProcessConfigString(text); err != nil {
		return nil, fmt.Errorf("broker: configuration: %w", err)
	}
	opts.NoSigs = true
	opts.Logtime = true
	return opts, nil
}

// start runs the engine's own start, which blocks while it recovers its store, and waits until it serves, says a fatal
// word, or the time is up.
func (s *Server) start(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not ready within %s", timeout))
	defer cancel()
	go func() { // ends with the engine's start; Shutdown waits for it, too
		defer close(s.started)
		s.engine.Start()
	}()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case line := <-s.log.fatal:
			return explain(line)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-poll.C:
		}
		select {
		case <-s.started: // before that, an open client port may still belong to a start that fails later
			if s.engine.ReadyForConnections(time.Millisecond) {
				return nil
			}
		default:
		}
	}
}

// explain turns the engine's fatal line into an error with a remedy where there is a known one.
func explain(line string) error {
	err := errors.New(strings.TrimSpace(line))
	switch {
	case strings.Contains(line, "address already in use"):
		return fmt.Errorf("%w; another process has this port: stop it or configure another port", err)
	case strings.Contains(line, "permission denied"), strings.Contains(line, "read-only file system"), strings.Contains(line, "not a directory"):
		return fmt.Errorf("%w; give a store_dir in a folder that can be written", err)
	case strings.Contains(line, "no space left on device"):
		return fmt.Errorf("%w; free space on the disk or give another store_dir", err)
	}
	return err
}

// Name returns the server's name.
func (s *Server) Name() string { return s.engine.Name() }

// URL returns the address for clients, "nats://127.0.0.1:4222".
func (s *Server) URL() string { return s.engine.ClientURL() }

// Addr returns the client listener's address, or nil if the configuration opens none.
func (s *Server) Addr() net.Addr { return s.engine.Addr() }

// Engine returns the server underneath, for what this package does not cover. Do not shut it down by itself.
func (s *Server) Engine() *server.Server { return s.engine }

// Failed delivers one error if the running server says a fatal word, for example because its monitoring port broke. The
// server does not stop by itself then; the receiver decides.
func (s *Server) Failed() <-chan string { return s.log.fatal }

// startPatience is how long a shutdown waits for a start that is under way before it breaks into it.
const startPatience = 5 * time.Second

// Shutdown hands leadership over, closes the clients and the store, and returns when the server has stopped or ctx is over
// (and after DefaultReadyTimeout at the latest: a hanging disk can stop the engine from stopping). It may be called more than once.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultReadyTimeout)
	defer cancel()
	stopped := make(chan struct{})
	go func() { // outlives Shutdown only where the engine hangs, which is then the error returned
		defer close(stopped)
		select { // a start that goes on after the shutdown would open the store again
		case <-s.started:
		case <-time.After(startPatience):
		}
		s.engine.Shutdown()
		s.engine.WaitForShutdown()
	}()
	select {
	case <-stopped:
		return s.log.close()
	case <-ctx.Done():
		return fmt.Errorf("broker %q: shut down: %w; the engine still runs", s.Name(), ctx.Err())
	}
}
