package gameday_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/drivers/nats"
	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// ownAppRun runs a Game Day with the application of ownapp_test.go; rest is the scenario's phases and what follows.
func ownAppRun(t *testing.T, early bool, rest string) (*result.Result, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	bug := ""
	if early {
		bug = appEarly + `: "1", `
	}
	dir := t.TempDir()
	text := fmt.Sprintf(`scenario: own-app
target: { cluster: { embedded: nats, nodes: 3 } }
workload:
  external:
    - { name: shop, command: [%[1]q], env: { %[2]s: shop, NATS_URL: "${servers}" } }
    - { name: billing, command: [%[1]q], dir: ., env: { %[2]s: billing, %[3]s%[4]s: %[5]q, NATS_URL: "${servers}" },
        ready: { http: "http://127.0.0.1:%[5]s/healthz", within: 30s } }
observe:
  input: { topic: orders, id: "header.order-id" }
  output: { topic: invoices, id: "body.order.id" }
  effect: { sql: "sqlite:billing.db", query: "select id from billed", every: 300ms }
  group: billing
  grace: 3s
contract: { delivery: at-least-once }
%[6]s`, os.Args[0], appPart, bug, appPort, port, rest)
	file := filepath.Join(dir, "own-app.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := scenario.ParseFile(file, scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	res, folder, err := gameday.Run(t.Context(), gameday.Config{
		Scenario: s, Out: t.TempDir(),
		Open: func(ctx context.Context, url string, log *slog.Logger) (queue.Queue, error) {
			return nats.Open(ctx, nats.Config{URL: url, Logger: log})
		},
		Progress: func(p gameday.Progress) {
			if p.Kind != gameday.Tick {
				t.Log(p.At.Round(1e6), p.Kind, p.Text)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return res, folder
}

func expectSources(t *testing.T, res *result.Result) {
	t.Helper()
	var names []string
	for _, s := range res.Sources {
		names = append(names, s.Name)
		if s.Messages == 0 || s.Unknown > 0 || len(s.Doubts) > 0 || len(s.CannotSee) == 0 {
			t.Errorf("source %+v", s)
		}
	}
	if want := []string{"topic orders", "topic invoices", "table billed"}; !slices.Equal(names, want) {
		t.Errorf("sources %q", names)
	}
}

func criterion(t *testing.T, res *result.Result, expr string) oracle.Check {
	t.Helper()
	i := slices.IndexFunc(res.Criteria, func(c oracle.Check) bool { return c.Expr == expr })
	if i < 0 {
		t.Fatalf("%s was not judged: %+v", expr, res.Criteria)
	}
	return res.Criteria[i]
}

// A sound application loses nothing, whoever is killed; and what is judged again comes to the same.
func TestAnApplicationThatLosesNothing(t *testing.T) {
	res, folder := ownAppRun(t, false, `phases:
  - baseline: 2s
  - inject: { crash: billing, for: 700ms }
  - observe: 2s
  - inject: { restart: shop }
  - inject: { kill: leader }
  - observe: { until: decided, max: 25s }
  - recover: all
  - observe: 1s
`)
	expectSources(t, res)
	if res.Verdict != oracle.Pass {
		t.Errorf("verdict %s %q", res.Verdict, res.Reasons)
	}
	if check := criterion(t, res, "lost == 0"); check.Verdict != oracle.Pass || !res.Drained || !res.Complete {
		t.Errorf("lost: %+v; drains %+v", check, res.Drains)
	}
	if c := res.Counts; c.Acked < 300 || c.Offered != c.Acked || c.Processed != 2*c.Acked {
		t.Errorf("counts %+v", c)
	}
	var layers []string
	for _, f := range res.Faults {
		layers = append(layers, f.Layer)
		if f.Seen == 0 || f.Gone == 0 || f.Hits == 0 {
			t.Errorf("fault %+v", f)
		}
	}
	if want := []string{"application", "application", "cluster"}; !slices.Equal(layers, want) {
		t.Errorf("layers %q", layers)
	}
	if l := res.Latency["e2e"]; l.Count != 2*res.Counts.Acked || l.P50 <= 0 {
		t.Errorf("latency %+v", l)
	}
	again, err := gameday.Verify(folder)
	if err != nil || again.Verdict != res.Verdict || again.Counts != res.Counts {
		t.Errorf("judged again: %v %+v, %v", again.Verdict, again.Counts, err)
	}
	for _, app := range []string{"shop", "billing"} {
		if _, err := os.Stat(result.NodeLog(folder, app)); err != nil {
			t.Errorf("the output of %s is not kept: %v", app, err)
		}
	}
}

// The commonest bug: it acks before the work is done, and is killed in between.
func TestAnApplicationThatAcksTooEarly(t *testing.T) {
	res, _ := ownAppRun(t, true, `phases:
  - baseline: 2s
  - inject: { crash: billing }
  - observe: 500ms
  - recover: all
  - observe: 2s
`)
	expectSources(t, res)
	if res.Verdict != oracle.Fail || res.Counts.Lost == 0 || res.Anomalies[oracle.Lost].During == 0 {
		t.Errorf("verdict %s %q, counts %+v, lost %+v", res.Verdict, res.Reasons, res.Counts, res.Anomalies[oracle.Lost])
	}
	if !slices.ContainsFunc(res.Drains, func(d result.Drain) bool { return d.Proven && strings.Contains(d.Detail, `"billing" has finished all`) }) {
		t.Errorf("drains %+v", res.Drains)
	}
}
