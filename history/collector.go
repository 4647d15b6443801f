package history

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"
)

// CollectorConfig says what a Collector does with records.
type CollectorConfig struct {
	// Record takes the records, in the order in which each application told them; never two at a time. An AppGap tells that
	// lines are missing before the next one. It is required, must not block for long, and must not call the Collector.
	Record func(AppRecord)
	// Token is what a sender must have, as a bearer token. "": none is needed, and records are taken over loopback alone.
	Token string
	// Logger gets a line for each request that is refused. Nil: discard.
	Logger *slog.Logger
}

// Collector takes the records of applications over HTTP: POSTs of JSON lines, as an App sends them. The format is written down at
// the constants of apprecord.go. A body with a line that is not of the format is refused whole;
// a line that came before is not taken again, so a sender that gets no answer sends the same again.
//
// It is an http.Handler, on any path, and listens by itself with Listen.
type Collector struct {
	config  CollectorConfig
	reading chan struct{} // a place for each request whose body is in memory

	mu      sync.Mutex
	tracker appTracker
	closed  bool

	serving collectorServer
}

var _ http.Handler = (*Collector)(nil)

// collectorReads is how many bodies are in memory at once.
const collectorReads = 16

// NewCollector returns a Collector that does not listen yet.
func NewCollector(c CollectorConfig) (*Collector, error) {
	if c.Record == nil {
		return nil, errors.New("history: a collector without a Record function would take records and forget them")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Collector{config: c, reading: make(chan struct{}, collectorReads)}, nil
}

// Apps returns who has sent records, each start by itself. One that has not Ended still works, or was killed: then what it did last
// may never have been told.
func (c *Collector) Apps() []AppState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tracker.states()
}

// ServeHTTP takes one POST. It answers 204, or says in a line of text what is wrong.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if refused := c.serve(w, r); refused != nil {
		c.config.Logger.Warn("history: a request to the collector is refused", "from", r.RemoteAddr, "status", refused.status, "error", refused.err)
		http.Error(w, refused.err.Error(), refused.status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// refusal is why a request is not taken.
type refusal struct {
	status int
	err    error
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status, fmt.Errorf(format, args...)}
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) *refusal {
	if refused := c.admit(r); refused != nil {
		if refused.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		return refused
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "%.20s: records are sent by POST", r.Method)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != appRecords {
		return refuse(http.StatusUnsupportedMediaType, "Content-Type must be %s", appRecords)
	}
	select {
	case c.reading <- struct{}{}:
		defer func() { <-c.reading }()
	case <-r.Context().Done():
		return refuse(http.StatusServiceUnavailable, "too many requests at once")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAppBatch))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "a body of more than %d bytes: send fewer lines at once", maxAppBatch)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the body is not whole: %w", err)
	}
	records, err := parseAppLines(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "%w", err)
	}
	return c.take(records)
}

// admit checks who asks. Without a token only this machine may, and not by way of a page in its browser that was made to believe
// that it talks to its own server.
func (c *Collector) admit(r *http.Request) *refusal {
	if c.config.Token != "" {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(c.config.Token)) != 1 {
			return refuse(http.StatusUnauthorized, "the bearer token is missing or wrong")
		}
		return nil
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !isLoopback(local.String()) || !isLoopback(r.RemoteAddr) || !isLoopback(r.Host) {
		return refuse(http.StatusForbidden, "without a token, records are taken over loopback alone: give the collector a Token")
	}
	return nil
}

// isLoopback reports whether an address, with a port or without, is this machine's own.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseAppLines reads the lines of a body, all or none.
func parseAppLines(body []byte) ([]AppRecord, error) {
	var records []AppRecord
	n := 0
	for line := range bytes.Lines(body) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		r, err := ParseAppRecord(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		records = append(records, r)
	}
	return records, nil
}

// take hands the records on, but for those that came before.
func (c *Collector) take(records []AppRecord) *refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return refuse(http.StatusGone, "the collector is closed: the run is over")
	}
	for _, r := range records {
		add, err := c.tracker.take(r)
		if err != nil {
			return refuse(http.StatusConflict, "%w", err)
		}
		for _, r := range add {
			c.config.Record(r)
		}
	}
	return nil
}

// Close ends Listen, waits for requests that are at work until ctx ends, and takes no more records, on whatever way they come. It
// may be called twice.
func (c *Collector) Close(ctx context.Context) error {
	err := c.serving.close(ctx)
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return err
}
