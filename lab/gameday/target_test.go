package gameday

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

const somebodys = `
scenario: trial
title: Somebody else's broker
target: { url: "memory://ada:hunter2@broker.example/x?token=secret" }
workload: { producers: 2, consumers: 2, rate: 100/s, size: 64B, keys: 8 }
contract: { delivery: at-least-once }
`

// remoteTrial is a run on target.url, with the target that a user gets.
func remoteTrial(t *testing.T, rest string) *trial {
	t.Helper()
	x := newTrialOf(t, somebodys+rest)
	x.cfg.start = nil
	return x
}

// On somebody else's broker havoq strikes its own consumers, keeps to a topic of its own, and shows no password.
func TestTargetURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := remoteTrial(t, `
# the same again: memory://ada:hunter2@elsewhere.example
phases: [ { baseline: 1s }, { inject: { crash: consumers } }, { observe: 1s }, { recover: all }, { observe: { until: decided, max: 20s } } ]
`)
		var topics []string
		x.cfg.Open = func(_ context.Context, url string, _ *slog.Logger) (queue.Queue, error) {
			if url != x.cfg.Scenario.Target.URL {
				t.Errorf("opened %s", url)
			}
			return queue.Wrap(memory.New(memory.Config{}), queue.Hooks{
				Open: func(ctx context.Context, s *queue.Session, next func(context.Context) error) error {
					topics = append(topics, s.Topic)
					return next(ctx)
				},
			}), nil
		}
		x.run(t)
		x.verdict(t, "pass")
		for _, topic := range topics {
			if !strings.HasPrefix(topic, "havoq-") || topic != topics[0] {
				t.Errorf("topics %q", topics)
			}
		}
		told := x.told(Target)
		if len(told) != 1 || !strings.Contains(told[0], "broker.example") || !strings.Contains(told[0], topics[0]) {
			t.Errorf("told %q", told)
		}
		for _, file := range []string{result.RunFile, result.ResultFile, result.HTMLFile, result.ScenarioFile, result.HistoryFile} {
			if text := readFile(t, x.dir, file); strings.Contains(text, "hunter2") || strings.Contains(text, "ada:") {
				t.Errorf("%s shows the password", file)
			}
		}
		if _, err := Verify(x.dir); err != nil {
			t.Errorf("a folder without its password cannot be verified: %v", err)
		}
		if strings.Contains(strings.Join(told, ""), "secret") {
			t.Errorf("told %q", told)
		}
	})
}

// What cannot be done there says so, where the scenario's reader did not already.
func TestTargetURLHasNoNodes(t *testing.T) {
	at := remote{"nats://ada:secret@broker.example:4222?token=secret", "havoq-1", false}
	for what, err := range map[string]error{
		"find leader": second(at.resolve(t.Context(), "leader")),
		"kill n1":     second(at.act(t.Context(), "kill", "n1")),
		"recover n1":  second(at.undo(t.Context(), "n1")),
	} {
		if !errors.Is(err, errNoNodes) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "target.cluster") ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for name, c := range map[string]struct{ rest, says string }{
		"an act on a node": {"phases: [ { inject: { kill: leader } } ]\n", "needs a cluster"},
	} {
		if _, err := scenario.Parse("trial.yaml", []byte(somebodys+c.rest), scenario.Options{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestWhatATargetURLCannot(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*trial)
		says   []string
	}{
		"be limited":     {func(x *trial) { x.cfg.Scenario.Workload.Limit = 9 }, []string{"workload.limit", "target.url"}},
		"tell its nodes": {func(x *trial) { x.cfg.Scenario.Prerequisites = []scenario.Prerequisite{{Check: "cluster.nodes >= 1"}} }, []string{"cluster.nodes >= 1", "no data"}},
		"be opened": {func(x *trial) {
			x.cfg.Open = func(context.Context, string, *slog.Logger) (queue.Queue, error) { return nil, errAct }
		}, []string{"open the queue", errAct.Error()}},
		"be no target":    {func(x *trial) { x.cfg.Scenario.Target = scenario.Target{} }, []string{"trial.yaml", "target.url"}},
		"open a session":  {func(x *trial) { x.cfg.Open = closedQueue }, []string{"start the load", "closed"}},
		"take such sizes": {func(x *trial) { x.cfg.Scenario.Workload.Size = 1 << 31 }, []string{"start the load", "Size"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := remoteTrial(t, "phases: [ { baseline: 1s } ]\n")
				c.change(x)
				x.run(t)
				x.fails(t, c.says...)
				if x.res != nil {
					t.Error("a verdict of a run that did not begin")
				}
			})
		})
	}
}

func closedQueue(ctx context.Context, _ string, _ *slog.Logger) (queue.Queue, error) {
	q := memory.New(memory.Config{})
	return q, q.Close(ctx)
}

// The promise of an order is judged by what the opened queue says of itself; a queue that is not used is closed.
func TestContractOrder(t *testing.T) {
	for name, c := range map[string]struct {
		promised  string
		kept      queue.Order
		consumers int
		says      string // "": it goes on
	}{
		"none promised":          {"", queue.OrderNone, 2, ""},
		"topic, one consumer":    {"producer", queue.OrderTopic, 1, ""},
		"topic, two":             {"key", queue.OrderTopic, 2, "set workload.consumers to 1"},
		"topic, two, producer":   {"producer", queue.OrderTopic, 2, "set workload.consumers to 1"},
		"key by key":             {"key", queue.OrderKey, 2, ""},
		"key by partition":       {"key", queue.OrderPartition, 2, ""},
		"producer by key":        {"producer", queue.OrderKey, 2, "keeps the order of: key; drop contract.order"},
		"nothing is kept at all": {"key", queue.OrderNone, 1, "keeps the order of: none"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := remoteTrial(t, "phases: [ { baseline: 1s } ]\n")
				x.cfg.Scenario.Contract.Order = c.promised
				x.cfg.Scenario.Workload.Consumers = c.consumers
				var closed atomic.Bool
				x.cfg.Open = func(context.Context, string, *slog.Logger) (queue.Queue, error) {
					return &ordered{memory.New(memory.Config{}), c.kept, &closed}, nil
				}
				x.run(t)
				if c.says == "" && x.err != nil {
					t.Error(x.err)
				}
				if c.says != "" {
					x.fails(t, "contract.order: "+c.promised, c.says)
				}
				if !closed.Load() {
					t.Error("the queue was left open")
				}
			})
		})
	}
}

// ordered is a queue that says of itself what the test wants.
type ordered struct {
	queue.Queue
	order  queue.Order
	closed *atomic.Bool
}

func (q *ordered) Caps() queue.Caps {
	c := q.Queue.Caps()
	c.Order = q.order
	return c
}

func (q *ordered) Close(ctx context.Context) error {
	q.closed.Store(true)
	return q.Queue.Close(ctx)
}

// Runs that begin in the same second have folders of their own.
func TestFoldersOfTheSameSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := t.TempDir()
		seen := map[string]bool{}
		for range 100 {
			dir, err := makeFolder(filepath.Join(out, "runs"), "trial")
			if err != nil || seen[dir] {
				t.Fatal(dir, err)
			}
			seen[dir] = true
		}
		if _, err := makeFolder(filepath.Join(out, "runs"), "trial"); err == nil || !strings.Contains(err.Error(), "--out") {
			t.Errorf("the hundred and first: %v", err)
		}
	})
}
