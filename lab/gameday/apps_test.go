//go:build unix

package gameday

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// programs readies the programs of a scenario; list is what stands under external.
func programs(t *testing.T, list string) (*apps, *run) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "own.yaml")
	s, err := scenario.Parse(file, []byte(`scenario: own
target: { url: "nats://ann:hunter2@broker.example:4222?replicas=3" }
workload: { external: `+list+` }
observe: { id: header.id, input: orders, output: invoices, collect: {} }
phases: [ { baseline: 1s } ]
`), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRun(Config{Scenario: s, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r.target = remote{s.Target.URL, "orders", true}
	t.Cleanup(func() {
		_ = r.history.Close()
		r.closeLog()
	})
	a := newApps(r)
	t.Cleanup(func() {
		if err := a.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return a, r
}

// has polls until a file has this text.
func has(t *testing.T, file, text string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); ; <-tick.C {
		got, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(got), text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s has %q, %v; want %q", file, got, err, text)
		}
	}
}

func TestProgramsOfTheUsersOwn(t *testing.T) {
	ready := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer ready.Close()
	a, r := programs(t, fmt.Sprintf(`[
  { name: billing, command: [sh, -c, "pwd; echo $WHERE; echo $POST; sleep 300"], dir: .., env: { WHERE: "at ${servers}", POST: "to ${collect}" },
    ready: { http: %q } },
  { name: shop, command: [sh, -c, "trap 'echo closed; exit 0' TERM; echo open; while :; do sleep 0.02; done"] } ]`, ready.URL))
	if err := a.start(t.Context(), r.values("http://127.0.0.1:1")); err != nil {
		t.Fatal(err)
	}
	billing, shop := a.logOf("billing"), a.logOf("shop")
	has(t, billing, filepath.Dir(filepath.Dir(r.cfg.Scenario.File))+"\n")
	has(t, billing, "at nats://ann:hunter2@broker.example:4222\n") // it needs the password, and not the driver's parameters
	has(t, billing, "to http://127.0.0.1:1\n")
	has(t, shop, "open")
	act := func(want string) func(string, error) {
		return func(evidence string, err error) {
			t.Helper()
			if err != nil || !strings.Contains(evidence, want) {
				t.Errorf("%q, %v; want %q", evidence, err, want)
			}
		}
	}
	act("gone (SIGKILL)")(a.kill(t.Context(), "billing"))
	if _, err := a.kill(t.Context(), "billing"); err == nil || !strings.Contains(err.Error(), "billing is down already") {
		t.Errorf("killed twice: %v", err)
	}
	act("up: process")(a.up(t.Context(), "billing"))
	act("billing is up")(a.up(t.Context(), "billing"))
	act("has ended (SIGTERM)")(a.end(t.Context(), "shop"))
	has(t, shop, "closed")
	act("up: process")(a.up(t.Context(), "shop"))
	if _, err := a.up(t.Context(), "nobody"); err == nil {
		t.Error("a program that is not listed was started")
	}
	if err := a.close(t.Context()); err != nil {
		t.Error(err)
	}
	var states []string
	if err := r.history.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := history.Open(filepath.Join(r.dir, result.HistoryFile))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for e := range h.Events() {
		if e.Kind == history.Node {
			states = append(states, e.Node+" "+e.Detail)
		}
	}
	if got := strings.Join(states, ", "); got != "billing up, shop up, billing down, billing up, shop down, shop up" {
		t.Errorf("states: %s", got)
	}
	for _, file := range []string{result.ScenarioFile, result.RunFile, result.LogFile} {
		if text := readFile(t, r.dir, file); strings.Contains(text, "hunter2") {
			t.Errorf("%s has the password", file)
		}
	}
}

func TestProgramsThatDoNotStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	for want, app := range map[string]string{
		"not ready: it does not answer (not done within 150ms)": `{ name: slow, command: [sleep, "300"], ready: { http: "` + nobody + `", within: 150ms } }`,
		"it ended before it was ready":                          `{ name: broken, command: ["false"], ready: { http: "` + nobody + `" } }`,
		"executable file not found":                             `{ name: none, command: [no-such-program-of-mine] }`,
		"no such file or directory":                             `{ name: nowhere, command: ["true"], dir: nowhere }`,
	} {
		a, r := programs(t, "[ "+app+" ]")
		err := a.start(t.Context(), r.values(""))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "start ") {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// A program that ends by itself is told, with its last words' place.
func TestAProgramThatEndsByItself(t *testing.T) {
	a, r := programs(t, `[ { name: billing, command: [sh, -c, "exit 7"] } ]`)
	if err := a.start(t.Context(), r.values("")); err != nil {
		t.Fatal(err)
	}
	a.watchers.Wait()
	if err := r.history.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := history.Open(filepath.Join(r.dir, result.HistoryFile))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	note, last := "", ""
	for e := range h.Events() {
		switch e.Kind {
		case history.Note:
			note = e.Detail
		case history.Node:
			last = e.Detail
		}
	}
	if last != result.NodeDown || !strings.Contains(note, "billing: it has ended by itself (exit status 7); see "+a.logOf("billing")) {
		t.Errorf("it is %s, noted %q", last, note)
	}
}

// The memory queue is in this process: nobody else's application is in it.
func TestADriverThatCannotReadBeside(t *testing.T) {
	x := newTrialOf(t, `
scenario: own
target: { url: "memory://" }
workload: external
observe: { id: header.id, input: orders, output: invoices }
phases: [ { baseline: 1s } ]
`)
	x.run(t)
	x.fails(t, "cannot read a topic beside its consumers", "nats")
}
