package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// collectorServer is the server of a Collector that listens.
type collectorServer struct {
	mu     sync.Mutex
	server *http.Server
	ended  chan struct{}
	err    error // of serving, when ended is closed
	closed bool
}

// Listen begins to take records at a TCP address, and returns the URL for AppConfig. "": a free port on loopback. An address that
// other machines can reach needs a Token. The caller must Close the Collector.
func (c *Collector) Listen(address string) (url string, err error) {
	address = cmp.Or(address, "127.0.0.1:0")
	if c.config.Token == "" && !isLoopback(address) {
		return "", fmt.Errorf("history: a collector at %s could be reached by other machines: give it a Token, or listen on 127.0.0.1", address)
	}
	s := &c.serving
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.server != nil {
		return "", errors.New("history: the collector listens, or was closed: make another one")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("history: a collector at %s: %w", address, err)
	}
	s.server = &http.Server{
		Handler: c, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(c.config.Logger.Handler(), slog.LevelWarn),
	}
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		s.err = s.server.Serve(listener)
	}()
	return "http://" + listener.Addr().String(), nil
}

func (s *collectorServer) close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.server == nil {
		s.closed = true
		return nil
	}
	s.closed = true
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("history: close the collector: requests are still at work: %w", err), s.server.Close())
	}
	<-s.ended
	if !errors.Is(s.err, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("history: the collector: %w", s.err))
	}
	return err
}
