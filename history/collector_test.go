package history_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/havoqlab/havoq/history"
)

// collected keeps the records that a Collector hands on, as short texts.
type collected struct {
	mu   sync.Mutex
	told []string
}

func (c *collected) record(r history.AppRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := string(r.What) + " " + r.ID
	if r.What == history.AppGap {
		text = fmt.Sprint("gap of ", r.Count)
	}
	c.told = append(c.told, strings.TrimSpace(text))
}

func (c *collected) texts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

// collect starts a Collector that listens on loopback.
func collect(t *testing.T, c history.CollectorConfig) (collector *history.Collector, url string, told *collected) {
	t.Helper()
	told = &collected{}
	c.Record = told.record
	collector, err := history.NewCollector(c)
	if err != nil {
		t.Fatal(err)
	}
	url, err = collector.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := collector.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return collector, url, told
}

// line is a record of this app as a line.
func line(seq int, what, rest string) string {
	return fmt.Sprintf(`{"what":%q,"app":"a","seq":%d,"at":"2026-11-21T20:00:00.5Z"%s}`, what, seq, rest) + "\n"
}

func processed(seq int, id string) string {
	return line(seq, "processed", fmt.Sprintf(`,"group":"billing","id":%q`, id))
}

var begin = line(0, "begin", `,"version":1`)

// post sends a body, and returns the status and what was answered.
func post(t *testing.T, url, body string, change func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if change != nil {
		change(req)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

func TestCollector(t *testing.T) {
	c, url, told := collect(t, history.CollectorConfig{})
	steps := []struct {
		body   string
		status int
		want   []string // what it adds
	}{
		{begin + processed(1, "o-1"), 204, []string{"begin", "processed o-1"}},
		{begin + processed(1, "o-1"), 204, nil}, // the answer was lost
		{processed(1, "o-1") + "\n" + processed(2, "o-2"), 204, []string{"processed o-2"}},
		{processed(5, "o-5"), 204, []string{"gap of 2", "processed o-5"}},
		{processed(4, "o-4"), 204, nil},
		{"", 204, nil},
		{processed(6, "o-6") + `{"what":"processed","app":"a"`, 400, nil}, // whole or not at all
		{line(6, "end", ""), 204, []string{"end"}},
		{line(6, "end", ""), 204, nil},
		{processed(7, "o-7"), 409, nil},
		{strings.ReplaceAll(processed(3, "p-3"), `"a"`, `"b"`), 204, []string{"gap of 3", "processed p-3"}},
	}
	for i, s := range steps {
		before := len(told.texts())
		if status, text := post(t, url, s.body, nil); status != s.status || (status == 204) != (text == "") {
			t.Errorf("step %d: %d %q", i, status, text)
		}
		if got := told.texts()[before:]; !slices.Equal(got, s.want) {
			t.Errorf("step %d: %q, want %q", i, got, s.want)
		}
	}
	apps := c.Apps()
	if a, b := apps[0], apps[1]; len(apps) != 2 || !a.Ended || a.Records != 3 || a.Missing != 2 || a.Group != "billing" ||
		b.Ended || b.Records != 1 || b.Missing != 3 || b.Last.IsZero() {
		t.Errorf("%+v", apps)
	}
}

func TestCollectorRefuses(t *testing.T) {
	var log bytes.Buffer
	_, url, told := collect(t, history.CollectorConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	body := begin
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		want   string
	}{
		"a method":          {func(r *http.Request) { r.Method = http.MethodPut }, 405, "POST"},
		"a type":            {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, "application/x-ndjson"},
		"no type":           {func(r *http.Request) { r.Header.Del("Content-Type") }, 415, "application/x-ndjson"},
		"another site":      {func(r *http.Request) { r.Host = "evil.example" }, 403, "over loopback alone"},
		"too much":          {func(r *http.Request) { r.Body = http.NoBody; setBody(r, strings.Repeat(" ", 1<<20+1)) }, 413, "1048576"},
		"an unknown key":    {func(r *http.Request) { setBody(r, line(0, "begin", `,"version":1,"grp":"x"`)) }, 400, `unknown field "grp"`},
		"the second line":   {func(r *http.Request) { setBody(r, begin+line(1, "sent", `,"id":"x","outcome":"fine"`)) }, 400, "line 2: unknown outcome"},
		"another version":   {func(r *http.Request) { setBody(r, line(0, "begin", `,"version":2`)) }, 400, "reads version 1"},
		"something after":   {func(r *http.Request) { setBody(r, strings.TrimSpace(begin)+"{}") }, 400, "something follows"},
		"a line of nothing": {func(r *http.Request) { setBody(r, "null") }, 400, "unknown kind"},
	} {
		status, text := post(t, url, body, c.change)
		if status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %q, want %d %q", name, status, text, c.status, c.want)
		}
	}
	if told := told.texts(); len(told) != 0 {
		t.Errorf("%q", told)
	}
	if n := strings.Count(log.String(), "refused"); n < 10 {
		t.Errorf("%d refusals are logged", n)
	}
}

func setBody(r *http.Request, body string) {
	r.Body = readCloser{strings.NewReader(body)}
	r.ContentLength = int64(len(body))
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// A body that does not come whole is not taken in part.
func TestCollectorNeedsTheWholeBody(t *testing.T) {
	told := &collected{}
	c, err := history.NewCollector(history.CollectorConfig{Record: told.record, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/", &breaking{strings.NewReader(begin)})
	req.Header.Set("Content-Type", "application/x-ndjson; charset=utf-8")
	req.Header.Set("Authorization", "Bearer secret")
	w := httptest.NewRecorder()
	if c.ServeHTTP(w, req); w.Code != 400 || !strings.Contains(w.Body.String(), "not whole") || len(told.texts()) != 0 {
		t.Error(w.Code, w.Body, told.texts())
	}
}

type breaking struct{ r *strings.Reader }

func (b *breaking) Read(p []byte) (int, error) {
	if b.r.Len() == 0 {
		return 0, errors.New("connection reset")
	}
	return b.r.Read(p)
}

func TestCollectorTokens(t *testing.T) {
	var log bytes.Buffer
	_, url, told := collect(t, history.CollectorConfig{Token: "s3cret", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for header, want := range map[string]int{"": 401, "Bearer s3cre": 401, "s3cret": 401, "Basic s3cret": 401, "Bearer s3cret": 204} {
		status, _ := post(t, url, begin, func(r *http.Request) { r.Header.Set("Authorization", header) })
		if status != want {
			t.Errorf("%q: %d, want %d", header, status, want)
		}
	}
	if strings.Contains(log.String(), "s3cret") || len(told.texts()) != 1 {
		t.Error(log.String(), told.texts())
	}
}

// Without a token a Collector takes nothing that does not come over loopback, however it is served.
func TestCollectorWithoutAToken(t *testing.T) {
	told := &collected{}
	c, err := history.NewCollector(history.CollectorConfig{Record: told.record})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "example.org:80", "[::]:0"} {
		if _, err := c.Listen(address); err == nil || !strings.Contains(err.Error(), "give it a Token") {
			t.Errorf("%s: %v", address, err)
		}
	}
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(begin)) // from 192.0.2.1
	req.Header.Set("Content-Type", "application/x-ndjson")
	w := httptest.NewRecorder()
	if c.ServeHTTP(w, req); w.Code != http.StatusForbidden || len(told.texts()) != 0 {
		t.Error(w.Code, told.texts())
	}
}

func TestCollectorLifecycle(t *testing.T) {
	if _, err := history.NewCollector(history.CollectorConfig{}); err == nil {
		t.Error("a collector that forgets")
	}
	c, url, told := collect(t, history.CollectorConfig{})
	if _, err := c.Listen(""); err == nil {
		t.Error("it listens twice")
	}
	taken := strings.TrimPrefix(url, "http://")
	other, err := history.NewCollector(history.CollectorConfig{Record: told.record})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Listen(taken); err == nil || !strings.Contains(err.Error(), taken) {
		t.Error(err)
	}
	for range 2 {
		if err := errors.Join(c.Close(t.Context()), other.Close(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if _, err := other.Listen(""); err == nil {
		t.Error("it listens after Close")
	}
	server := httptest.NewServer(c) // by another way
	defer server.Close()
	if status, text := post(t, server.URL, begin, nil); status != http.StatusGone || !strings.Contains(text, "the run is over") {
		t.Error(status, text)
	}
}

func TestCollectorBoundsTheApps(t *testing.T) {
	_, url, _ := collect(t, history.CollectorConfig{})
	var body strings.Builder
	for i := range 4097 {
		body.WriteString(strings.Replace(begin, `"a"`, fmt.Sprintf(`"a%d"`, i), 1))
	}
	if status, text := post(t, url, body.String(), nil); status != 409 || !strings.Contains(text, "more than 4096 applications") {
		t.Error(status, text)
	}
}
