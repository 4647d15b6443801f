package observe_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/observe"
)

func web(t *testing.T, answer string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ids":
			_, _ = w.Write([]byte(answer))
		case "/elsewhere":
			http.Redirect(w, r, "/ids", http.StatusFound)
		case "/slow":
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestWeb(t *testing.T) {
	for answer, c := range map[string]struct {
		path string
		want []string
	}{
		`{"orders": [{"id": "a"}, {"id": 12345678901234567890}, {"id": null}]}`: {"orders.id", []string{"a", "12345678901234567890", ""}},
		`[{"x": {"ids": ["a", "b"]}}, {"x": {"ids": []}}]`:                      {"x.ids", []string{"a", "b"}},
		`{"ids": "one"}`: {"ids", []string{"one"}},
		`[]`:             {"orders.id", nil},
	} {
		expectList(t, observe.Web{URL: web(t, answer) + "/ids", Path: c.path}, c.want...)
	}
}

func TestWebErrors(t *testing.T) {
	for name, c := range map[string]struct{ answer, place, path, want string }{
		"no JSON":         {"<html>", "/ids", "id", "is not JSON"},
		"another field":   {`{"orders": [{"number": 1}]}`, "/ids", "orders.id", `orders has no field "id", which observe.effect.ids names`},
		"too short":       {`{"orders": [{"id": 1}]}`, "/ids", "orders", "orders is an object, and no ID"},
		"too long":        {`{"orders": 7}`, "/ids", "orders.id", "orders is neither a text nor a number"},
		"a truth":         {`{"id": true}`, "/ids", "id", "neither a text nor a number"},
		"another address": {"", "/nowhere", "id", "it answered 404 Not Found"},
		"a redirect":      {`{"id": 1}`, "/elsewhere", "id", "it answered 302 Found"},
	} {
		if _, err := list(t, observe.Web{URL: web(t, c.answer) + c.place, Path: c.path}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	secret := strings.Replace(gone.URL, "http://", "http://ann:hunter2@", 1)
	if _, err := list(t, observe.Web{URL: secret, Path: "id"}); err == nil || strings.Contains(err.Error(), "ann") || !strings.Contains(err.Error(), gone.URL) {
		t.Errorf("a server that is gone: %v", err)
	}
	slow, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := observe.Web{URL: web(t, "") + "/slow", Path: "id"}.List(slow, func(string) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that does not answer: %v", err)
	}
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ids"), []byte("a\n\n b \nc"), 0o644); err != nil {
		t.Fatal(err)
	}
	expectList(t, observe.Command{Argv: []string{"cat", "ids"}, Dir: dir}, "a", "b", "c")
	for want, argv := range map[string][]string{
		"exit status 3: no database": {"sh", "-c", "echo a; echo no database >&2; exit 3"},
		"executable file not found":  {"no-such-program-of-mine"},
	} {
		if _, err := list(t, observe.Command{Argv: argv}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", argv, err)
		}
	}
	slow, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := observe.Command{Argv: []string{"sh", "-c", "sleep 60 & wait"}}.List(slow, func(string) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a program that does not end: %v", err)
	}
}
