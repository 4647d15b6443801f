package gameday

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// fake is a target of three nodes that only remember what was done to them.
type fake struct {
	mu     sync.Mutex
	state  map[string]string
	did    []string                                             // "kill n1", "up n1", in order
	before func(ctx context.Context, what string) error         // called with that before it is done; nil: nothing
	lead   func(ctx context.Context) (leader string, err error) // nil: n1, or the first that is up
	of     *run                                                 // whose target it is
	closed error                                                // what close returns
}

func newFake() *fake {
	return &fake{state: map[string]string{"n1": "up", "n2": "up", "n3": "up"}}
}

func (t *fake) queueURL(*scenario.Scenario) string { return "memory://" }

func (t *fake) resolve(ctx context.Context, expr string) ([]string, error) {
	switch expr {
	case "all":
		return []string{"n1", "n2", "n3"}, nil
	case "leader":
		leader, err := t.leader(ctx)
		return []string{leader}, err
	}
	return []string{expr}, nil
}

func (t *fake) act(ctx context.Context, verb, node string) (string, error) {
	to := map[string]string{"kill": "down", "stop": "down", "wipe": "down", "pause": "paused"}[verb]
	return t.set(ctx, verb+" "+node, node, to)
}

func (t *fake) undo(ctx context.Context, node string) (string, error) {
	return t.set(ctx, "up "+node, node, "up")
}

func (t *fake) set(ctx context.Context, what, node, to string) (string, error) {
	if t.before != nil {
		if err := t.before(ctx, what); err != nil {
			return "", err
		}
	}
	bubble.Sleep(actTime) // in the bubble
	t.mu.Lock()
	defer t.mu.Unlock()
	t.did = append(t.did, what)
	t.state[node] = to
	return node + " is " + to, nil
}

func (t *fake) leader(ctx context.Context) (string, error) {
	if t.lead != nil {
		return t.lead(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range []string{"n1", "n2", "n3"} {
		if t.state[n] == "up" {
			return n, nil
		}
	}
	return "", fmt.Errorf("no leader")
}

func (t *fake) states() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	states := map[string]string{}
	for n, s := range t.state {
		states[n] = s
	}
	return states
}

func (t *fake) memory() map[string]int64 { return map[string]int64{"n1": 1 << 20} }
func (t *fake) describe() string         { return "a fake of three" }

// close has the nodes' end in the history, as that of a real cluster is.
func (t *fake) close(context.Context) error {
	if t.of != nil {
		t.of.nodeChanged("n1", "down", "ended")
	}
	return t.closed
}

// done is what was done, in one line.
func (t *fake) done() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.did, ", ")
}

// allUp: nothing stays injected.
func (t *fake) allUp(tt *testing.T) {
	tt.Helper()
	for n, s := range t.states() {
		if s != "up" {
			tt.Errorf("%s is left %s", n, s)
		}
	}
}

// actTime is how long an act takes: long enough for some messages to meet it.
const actTime = 100 * time.Millisecond

// trial is one run of a scenario on a fake, and what is to be seen of it.
type trial struct {
	*fake
	cfg      Config
	ctx      context.Context
	cancel   context.CancelCauseFunc
	on       func(Progress) // called besides
	mu       sync.Mutex
	progress []Progress

	res *result.Result
	dir string
	err error
}

const head = `
scenario: trial
title: A trial
target: { cluster: { embedded: nats, nodes: 3 } }
contract: { delivery: at-least-once }
`

const calm = head + `workload: { producers: 2, consumers: 2, rate: 100/s, size: 64B, keys: 8 }
`

// newTrial reads a scenario, given by what follows calm, and readies a run of it on the fake with a queue in memory.
func newTrial(t *testing.T, rest string) *trial {
	t.Helper()
	return newTrialOf(t, calm+rest)
}

func newTrialOf(t *testing.T, text string) *trial {
	t.Helper()
	s, err := scenario.Parse("trial.yaml", []byte(text), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := &trial{fake: newFake()}
	x.ctx, x.cancel = context.WithCancelCause(t.Context())
	x.cfg = Config{
		Scenario: s, Out: t.TempDir(), Again: "havoq run trial.yaml",
		Open: func(context.Context, string, *slog.Logger) (queue.Queue, error) {
			return memory.New(memory.Config{}), nil
		},
		Progress: func(p Progress) {
			x.mu.Lock()
			x.progress = append(x.progress, p)
			x.mu.Unlock()
			if x.on != nil {
				x.on(p)
			}
		},
		start: func(_ context.Context, r *run) (target, error) { x.of = r; return x.fake, nil },
	}
	return x
}

func (x *trial) run(t *testing.T) *trial {
	t.Helper()
	defer x.cancel(nil)
	x.res, x.dir, x.err = Run(x.ctx, x.cfg)
	return x
}

func (x *trial) interrupt() { x.cancel(ErrInterrupted) }

// at calls do once, at the first report that fits.
func (x *trial) at(kind ProgressKind, text string, do func()) {
	var once sync.Once
	x.on = func(p Progress) {
		if p.Kind == kind && strings.Contains(p.Text, text) {
			once.Do(do)
		}
	}
}

// verdict wants a run that was judged so.
func (x *trial) verdict(t *testing.T, want string) {
	t.Helper()
	if x.err != nil {
		t.Fatalf("havoq failed: %v", x.err)
	}
	if string(x.res.Verdict) != want {
		t.Fatalf("verdict %s %v, want %s", x.res.Verdict, x.res.Reasons, want)
	}
}

// fails wants an error that says all of this, and no pass.
func (x *trial) fails(t *testing.T, parts ...string) {
	t.Helper()
	if x.err == nil {
		t.Fatalf("no error; the result is %+v", x.res)
	}
	for _, p := range parts {
		if !strings.Contains(x.err.Error(), p) {
			t.Errorf("the error %q does not say %q", x.err, p)
		}
	}
	if x.res != nil && x.res.Verdict == "pass" {
		t.Error("it passed all the same")
	}
}

// events are the history's, of these kinds.
func (x *trial) events(t *testing.T, kinds ...history.Kind) (all []history.Event) {
	t.Helper()
	h, err := history.Open(filepath.Join(x.dir, result.HistoryFile))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for e := range h.Events() {
		if slices.Contains(kinds, e.Kind) {
			all = append(all, e)
		}
	}
	return all
}

// told are the texts of the reports of these kinds.
func (x *trial) told(kinds ...ProgressKind) (all []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.progress {
		if slices.Contains(kinds, p.Kind) {
			all = append(all, p.Text)
		}
	}
	return all
}

func expectDone(t *testing.T, x *trial, want string) {
	t.Helper()
	if got := x.done(); got != want {
		t.Errorf("done: %s\nwant: %s", got, want)
	}
}

func names(events []history.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Name)
	}
	return all
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readFile(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
