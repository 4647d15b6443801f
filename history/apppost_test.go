package history_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("it does not come to pass: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestAppToACollector(t *testing.T) {
	for _, token := range []string{"", "s3cret"} {
		c, url, told := collect(t, history.CollectorConfig{Token: token})
		a := newApp(t, history.AppConfig{URL: url, Token: token})
		if err := errors.Join(a.Processed("o-1", ""), a.Sent("i-1", queue.OK, "")); err != nil {
			t.Fatal(err)
		}
		until(t, "records arrive by themselves", func() bool { return len(told.texts()) == 3 })
		for i := range 5000 {
			if err := a.Processed(fmt.Sprint(i), strings.Repeat("e", 100)); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := told.texts()
		if len(got) != 5004 || got[5002] != "processed 4999" || got[5003] != "end" {
			t.Errorf("%d records, the last ones %q", len(got), got[max(0, len(got)-2):])
		}
		if s := c.Apps(); len(s) != 1 || !s[0].Ended || s[0].Missing != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// between is what stands between an App and a Collector: it fails a request when told so, before it is taken or after.
type between struct {
	to     http.Handler
	mu     sync.Mutex
	fail   func(n int) (take bool, status int) // status 0: none
	n      int
	bodies []string
}

func (b *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	body.ReadFrom(r.Body)
	setBody(r, body.String())
	b.mu.Lock()
	take, status := b.fail(b.n)
	b.n++
	b.bodies = append(b.bodies, body.String())
	b.mu.Unlock()
	if take {
		answer := httptest.NewRecorder()
		b.to.ServeHTTP(answer, r)
		if status == 0 {
			w.WriteHeader(answer.Code)
			return
		}
	}
	switch status {
	case 0:
		panic(http.ErrAbortHandler) // the connection is cut
	default:
		http.Error(w, "no luck", status)
	}
}

// An answer that is lost, a collector that is away for a while: nothing is lost, and nothing is told twice.
func TestAppSendsAgain(t *testing.T) {
	c, _, told := collect(t, history.CollectorConfig{})
	b := &between{to: c, fail: func(n int) (bool, int) {
		return n%3 > 0, []int{503, 504, 0}[n%3] // not taken; taken, and the answer is lost; well
	}}
	server := httptest.NewUnstartedServer(b)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.Start()
	defer server.Close()
	var log bytes.Buffer
	a := newApp(t, history.AppConfig{URL: server.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for i := range 3 {
		if err := a.Processed(fmt.Sprint(i), ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"begin", "processed 0", "processed 1", "processed 2", "end"}; !slices.Equal(told.texts(), want) {
		t.Errorf("%q", told.texts())
	}
	if b.bodies[0] != b.bodies[1] || b.bodies[1] != b.bodies[2] {
		t.Error("what is sent again is not the same")
	}
	if !strings.Contains(log.String(), "do not arrive") || !strings.Contains(log.String(), "arrive again") {
		t.Error(log.String())
	}
}

// When nobody listens, the application goes on, up to the buffer; what was dropped is counted, and an error of Close.
func TestAppWithoutACollector(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	listener.Close()
	a := newApp(t, history.AppConfig{URL: url, Buffer: 128 << 10})
	dropped := 0
	for i := range 2000 {
		switch err := a.Processed(fmt.Sprint(i), strings.Repeat("e", 1000)); {
		case errors.Is(err, history.ErrAppFull):
			dropped++
		case err != nil:
			t.Fatal(err)
		}
	}
	if dropped < 1800 || dropped >= 1999 {
		t.Errorf("%d of 2000 are dropped", dropped)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = a.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "2002 of 2002 records of this application are not on record") {
		t.Error(err)
	}
}

// What an overflow has dropped is told to the collector as soon as there is room.
func TestAnOverflowIsAGap(t *testing.T) {
	c, _, told := collect(t, history.CollectorConfig{})
	open := make(chan struct{})
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-open
		c.ServeHTTP(w, r)
	}))
	defer server.Close()
	a := newApp(t, history.AppConfig{URL: server.URL, Buffer: 128 << 10})
	<-asked // begin is on its way
	dropped := 0
	for i := range 300 {
		if a.Processed(fmt.Sprint(i), strings.Repeat("e", 1000)) != nil {
			dropped++
		}
	}
	close(open)
	later := 0
	until(t, "there is room again", func() bool { // for more than the buffer holds at once
		if a.Processed("later", strings.Repeat("e", 1000)) == nil {
			later++
		}
		return later == 300
	})
	err := a.Close(t.Context())
	if err == nil || !strings.Contains(err.Error(), "records of this application are not on record: dropped") {
		t.Error(err)
	}
	missing := 0
	for _, text := range told.texts() {
		var n int
		if _, err := fmt.Sscanf(text, "gap of %d", &n); err == nil {
			missing += n
		}
	}
	if s := c.Apps(); dropped == 0 || missing < dropped || s[0].Missing != uint64(missing) || !s[0].Ended {
		t.Errorf("%d dropped, %d missing, %+v", dropped, missing, s)
	}
}

// A batch that is refused is not sent again.
func TestAppRefused(t *testing.T) {
	_, url, told := collect(t, history.CollectorConfig{Token: "s3cret"})
	var log bytes.Buffer
	a := newApp(t, history.AppConfig{URL: url, Token: "wr0ng", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	a.Processed("a", "")
	err := a.Close(t.Context())
	if err == nil || !strings.Contains(err.Error(), "3 of 3 records") || !strings.Contains(err.Error(), "401 Unauthorized") {
		t.Error(err)
	}
	for _, text := range []string{err.Error(), log.String()} {
		if strings.Contains(text, "wr0ng") || strings.Contains(text, "s3cret") {
			t.Error("a secret is told: ", text)
		}
	}
	if len(told.texts()) != 0 {
		t.Error(told.texts())
	}
}

// A redirect is not followed: the token is for one address alone.
func TestAppDoesNotFollow(t *testing.T) {
	var elsewhere bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere = true }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	a := newApp(t, history.AppConfig{URL: server.URL, Token: "s3cret"})
	if err := a.Close(t.Context()); err == nil || elsewhere {
		t.Error(err, elsewhere)
	}
}

// An application that tells nothing more does not keep its collector busy, and one that hangs does not hold up Close.
func TestAppGivesUpOnAHangingCollector(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer server.Close()
	defer close(hang)
	a := newApp(t, history.AppConfig{URL: server.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := a.Close(ctx); err == nil || !strings.Contains(err.Error(), "2 of 2 records") {
		t.Error(err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("Close took %v", took)
	}
}
