package observe_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/observe"
)

// poster is an application that posts.
func poster(t *testing.T, url string) *history.App {
	t.Helper()
	a, err := history.NewApp(history.AppConfig{URL: url, Group: "billing", Client: "billing"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// collecting observes an input and what is posted. It cannot be in a bubble, for what is posted goes over the network.
func collecting(t *testing.T) *trial {
	t.Helper()
	x := newTrial(t)
	x.cfg.Output, x.cfg.Effect, x.cfg.Collect, x.cfg.Grace = nil, nil, &observe.Collect{}, 200*time.Millisecond
	var err error
	if x.observer, err = observe.Open(t.Context(), x.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.observer.Close(context.Background()) })
	if err := x.observer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.send("orders", "a", "b")
	return x
}

func TestWhatAnApplicationPosts(t *testing.T) {
	x := collecting(t)
	a := poster(t, x.observer.CollectURL())
	for _, id := range []string{"a", "b", "b"} {
		if err := a.Processed(id, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := x.drain(t); !d.Proven {
		t.Errorf("drained: %+v", d)
	}
	var seen []string
	for _, s := range x.stories(append(account(), history.Source, history.Drain, history.Gap)...) {
		if !strings.HasPrefix(s, "sent") {
			seen = append(seen, s)
		}
	}
	want := "|topic orders|reordered, failed_but_delivered\n" +
		"app billing|app billing|redelivered, reordered, corrupted, failed_but_delivered, late\n" +
		"app billing 0\napp billing 1\napp billing 1\napp billing ok 0"
	if got := strings.Join(seen, "\n"); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
}

// A program that was killed may have processed more than it could post: what is missing is not known, and not lost.
func TestAnApplicationThatWasKilled(t *testing.T) {
	x := collecting(t)
	first := poster(t, x.observer.CollectURL())
	if err := first.Processed("a", ""); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); x.observer.Stats().Work == 0 && time.Now().Before(end); <-time.After(5 * time.Millisecond) {
	}
	second := poster(t, x.observer.CollectURL())
	if err := second.Processed("b", ""); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.drain(t)
	if ends := x.stories(history.Drain); len(ends) != 1 || ends[0] != "app billing unknown -1" {
		t.Errorf("ends %q", ends)
	}
	late, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := first.Close(late); err == nil { // the run is over
		t.Error("a record behind the end was taken")
	}
}

// Records may be missing before the first that arrives says whose they are.
func TestTheFirstRecordsDoNotArrive(t *testing.T) {
	x := collecting(t)
	line := `{"what":"processed","app":"p1","seq":2,"at":"2026-11-21T10:00:00Z","group":"billing","id":"b"}`
	res, err := http.Post(x.observer.CollectURL(), "application/x-ndjson", strings.NewReader(line))
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != http.StatusNoContent {
		t.Fatal(res.Status)
	}
	x.drain(t)
	if ends := x.stories(history.Drain); len(ends) != 1 || ends[0] != "app billing unknown -1" {
		t.Errorf("ends %q", ends)
	}
}

func TestNobodyPosts(t *testing.T) {
	x := collecting(t)
	x.drain(t)
	if gaps := x.stories(history.Gap); len(gaps) != 1 || !strings.Contains(gaps[0], "nobody has posted to the collector (does your application post to ${collect}?)") {
		t.Errorf("gaps %q", gaps)
	}
}
