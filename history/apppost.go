package history

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	appBuffer    = 8 << 20
	appBatch     = 256 << 10              // the most that is sent at once
	appGather    = 20 * time.Millisecond  // how long a line waits for others
	appTimeout   = 5 * time.Second        // of one attempt
	appPause     = 100 * time.Millisecond // after the first failed attempt; it doubles
	appLongPause = 2 * time.Second
	appRecords   = "application/x-ndjson"
)

// appPoster sends lines to a Collector, in their order. What cannot be sent is sent again, the same bytes, so that the Collector
// knows them again; what is refused is lost.
type appPoster struct {
	url, token string
	limit      int // bytes
	timeout    time.Duration
	log        *slog.Logger
	client     *http.Client

	mu      sync.Mutex
	batches []appLines // what waits
	size    int        // bytes that wait or are on their way

	wake   chan struct{} // something waits
	quit   chan struct{} // close was called
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}
	lost   uint64 // lines; this and err belong to the goroutine until ended is closed
	err    error
}

// appLines is a batch.
type appLines struct {
	text  []byte
	count uint64
}

var _ appSink = (*appPoster)(nil)

func newAppPoster(c AppConfig) (*appPoster, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, errors.New("the URL of the collector cannot be read: it is like http://127.0.0.1:8080") // the error quotes it
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("the URL of the collector, %s, is not like http://127.0.0.1:8080", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("the URL of the collector, %s, has a user: a secret belongs into Token", u.Redacted())
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 1
	p := &appPoster{
		url: c.URL, token: c.Token, limit: cmp.Or(c.Buffer, appBuffer), timeout: cmp.Or(c.Timeout, appTimeout), log: c.Logger,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token is for this address alone
		}},
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go p.run()
	return p, nil
}

func (p *appPoster) add(line []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.size+len(line) > p.limit {
		return ErrAppFull
	}
	last := len(p.batches) - 1
	if last < 0 || len(p.batches[last].text)+len(line) > appBatch {
		p.batches = append(p.batches, appLines{})
		last++
	}
	b := &p.batches[last]
	b.text = append(b.text, line...)
	b.count++
	p.size += len(line)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// run sends until it is told to quit and nothing waits. When closing may take no longer, nothing is sent any more, and what waits
// is lost.
func (p *appPoster) run() {
	defer close(p.ended)
	defer p.client.CloseIdleConnections()
	for quitting := false; !quitting; {
		select {
		case <-p.wake:
			p.pause(appGather, p.quit)
		case <-p.quit:
			quitting = true
		}
		for b, ok := p.take(); ok; b, ok = p.take() {
			p.deliver(b)
		}
	}
}

func (p *appPoster) take() (appLines, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.batches) == 0 {
		return appLines{}, false
	}
	b := p.batches[0]
	p.batches[0] = appLines{}
	p.batches = p.batches[1:]
	return b, true
}

// deliver sends a batch until it is taken or refused, or closing may take no longer: records that wait are bounded by the buffer, and
// those that come later are dropped with a number that tells of it.
func (p *appPoster) deliver(b appLines) {
	defer func() {
		p.mu.Lock()
		p.size -= len(b.text)
		p.mu.Unlock()
	}()
	wait := appPause
	for attempt := 1; ; attempt++ {
		err := p.post(b.text)
		switch {
		case err == nil:
			if attempt > 1 {
				p.log.Info("history: records of this application arrive again", "url", p.url, "attempts", attempt)
			}
			return
		case errors.Is(err, errAppRefused) || p.ctx.Err() != nil:
			p.log.Error("history: records of this application are lost", "url", p.url, "records", b.count, "error", err)
			p.lost += b.count
			p.err = cmp.Or(p.err, err)
			return
		case attempt == 1:
			p.log.Warn("history: records of this application do not arrive and are sent again", "url", p.url, "error", err)
		}
		p.pause(wait, p.ctx.Done())
		wait = min(2*wait, appLongPause)
	}
}

// pause returns early when quit is closed.
func (p *appPoster) pause(d time.Duration, quit <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-quit:
	}
}

// errAppRefused is an answer after which sending the same again would be in vain.
var errAppRefused = errors.New("refused")

// post makes one attempt.
func (p *appPoster) post(text []byte) error {
	ctx, cancel := context.WithTimeout(p.ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("send records: %w: %w", err, errAppRefused)
	}
	req.Header.Set("Content-Type", appRecords)
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("send records: %w", err)
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 256)) // words for a person: as many as come
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return fmt.Errorf("send records to %s: %s: %.256q", p.url, resp.Status, said)
	default:
		return fmt.Errorf("send records to %s: %s: %.256q: %w", p.url, resp.Status, said, errAppRefused)
	}
}

func (p *appPoster) close(ctx context.Context) (uint64, error) {
	close(p.quit)
	stop := context.AfterFunc(ctx, p.cancel)
	<-p.ended
	stop()
	p.cancel()
	return p.lost, p.err
}
