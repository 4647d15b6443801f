package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/scenarios"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/oracle"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// madeUpRun plays a run without one: what a terminal gets of the default scenario.
func madeUpRun(t *testing.T, out output) {
	t.Helper()
	source, err := scenarios.Read(scenarios.Default)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse("primary-broker-failure.yaml", source, scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out.begin(s)
	up := map[string]string{"n1": "up", "n2": "up", "n3": "up"}
	down := map[string]string{"n1": "up", "n2": "down", "n3": "up"}
	rates := &gameday.Rates{Sent: 2000, Acked: 1990, Processed: 1980, P99: 0.012, Lag: 12}
	stats := &workload.Stats{Offered: 4000}
	at := func(seconds float64, p gameday.Progress) {
		p.At = time.Duration(seconds * 1e9)
		p.Folder, p.Seed, p.Of = "havoq-runs/primary-broker-failure-20261121-180000", 7, len(s.Phases)
		out.progress(p)
	}
	phase := func(i int, p gameday.Progress) gameday.Progress {
		p.Index, p.Phase = i, s.Phases[i-1].Name()
		if p.Kind == gameday.PhaseOn {
			p.Text = s.Phases[i-1].Describe()
		}
		return p
	}
	at(0, gameday.Progress{Kind: gameday.Start})
	at(0.1, gameday.Progress{Kind: gameday.NodeState, Text: "n1 starting"})
	at(1.9, gameday.Progress{Kind: gameday.Target, Text: "up: 3 × nats-server in processes of their own, stream \"orders\" R3, synced writes", Nodes: up})
	at(2.1, gameday.Progress{Kind: gameday.Loading})
	at(2.1, phase(1, gameday.Progress{Kind: gameday.PhaseOn}))
	at(2.6, phase(1, gameday.Progress{Kind: gameday.Leader, Text: "n2 leads orders"}))
	at(4.6, phase(1, gameday.Progress{Kind: gameday.Tick, Rates: rates, Stats: stats, Nodes: up, Left: 2500 * time.Millisecond}))
	at(7.1, phase(1, gameday.Progress{Kind: gameday.PhaseOff, Text: "10,001 sends, 10,000 acked, 9,998 processed, p99 12ms at its end, lag 2"}))
	at(7.1, phase(2, gameday.Progress{Kind: gameday.PhaseOn}))
	at(7.2, phase(2, gameday.Progress{Kind: gameday.NodeState, Text: "n2 down: process 4711 gone, port 24222 refuses", Nodes: down}))
	at(7.2, phase(2, gameday.Progress{Kind: gameday.Act, Text: "kill n2: process 4711 gone, port 24222 refuses (seen after 12ms)"}))
	at(7.2, phase(3, gameday.Progress{Kind: gameday.PhaseOn}))
	at(12.1, phase(3, gameday.Progress{Kind: gameday.Leader, Text: "n3 leads orders"}))
	rates.Errors = 40
	at(19.9, phase(3, gameday.Progress{Kind: gameday.Tick, Rates: rates, Stats: stats, Nodes: down, Faults: []string{"kill leader"}, Left: 9300 * time.Millisecond}))
	at(20.3, phase(3, gameday.Progress{Kind: gameday.NodeState, Text: "n1 down: exited by itself: exit status 1", Nodes: down}))
	at(20.4, phase(3, gameday.Progress{Kind: gameday.PhaseOff, Text: "14,880 sent, 14,875 acked, 5 without an answer, 14,870 processed, p99 80ms, lag 5"}))
	at(20.4, gameday.Progress{Kind: gameday.Draining})
	at(21.2, gameday.Progress{Kind: gameday.Drained, Text: "drained in 800ms: the broker says twice that nothing is left"})
	at(21.2, gameday.Progress{Kind: gameday.Judging})
	res := madeUpResult()
	at(21.4, gameday.Progress{Kind: gameday.Done, Result: res})
	out.end(res, "havoq-runs/primary-broker-failure-20261121-180000", nil)
	out.series([]*result.Result{res, {Scenario: "early-ack", Verdict: oracle.Fail, Seed: 9}})
}

func madeUpResult() *result.Result {
	return &result.Result{
		Schema: result.Schema, Scenario: "primary-broker-failure", Verdict: oracle.Pass, Seed: 7, Groups: 1,
		Criteria: []oracle.Check{
			{Expr: "lost == 0", Verdict: oracle.Pass, Value: "0"},
			{Expr: "failover < 12s", Verdict: oracle.Pass, Value: "4.93s"},
			{Expr: "lag.recovered < 30s", Verdict: oracle.Unknown, Value: "not known", Reason: "no data for lag.recovered"},
		},
		Guards:    []oracle.Check{{Expr: "error_rate < 90% for 20s", Verdict: oracle.Pass, Value: "held"}},
		Counts:    oracle.Counts{Offered: 24881, Acked: 24875, InDoubt: 6, Processed: 24875, NotSent: 3},
		Anomalies: map[string]oracle.Anomaly{oracle.Redelivered: {Total: 12, During: 12}},
		Faults:    []result.Fault{{FaultWindow: oracle.FaultWindow{Name: "kill leader", Seen: 1}}},
		SelfTest:  oracle.SelfTest{Planted: 9, Found: 9},
		Safety:    result.Judgement{Verdict: oracle.Pass},
		Liveness:  result.Judgement{Verdict: oracle.Unknown},
		Claims:    []oracle.Claim{oracle.NewClaim(oracle.Lost, "kill", 0, 1), oracle.NewClaim(oracle.Lost, oracle.PerMessage, 0, 12_345)},
		Again:     "havoq run --seed 7",
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	file = "testdata/" + file + ".golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", file, diff)
	}
}

func newTestOutput(t *testing.T, kind string) (out output, std, stderr *bytes.Buffer) {
	t.Helper()
	std, stderr = new(bytes.Buffer), new(bytes.Buffer)
	out, err := newOutput(kind, streams{out: std, err: stderr})
	if err != nil {
		t.Fatal(err)
	}
	return out, std, stderr
}

func TestPlainIsAStory(t *testing.T) {
	out, got, _ := newTestOutput(t, "plain")
	madeUpRun(t, out)
	golden(t, "plain", got.String())
	if n := strings.Count(got.String(), "\n"); n > 45 {
		t.Errorf("%d lines are too many for a newcomer", n)
	}
	if strings.Contains(got.String(), "\x1b") {
		t.Error("plain output has escape sequences")
	}
}

// Of a pipe, auto is plain.
func TestAutoOfAPipeIsPlain(t *testing.T) {
	out, _, _ := newTestOutput(t, "auto")
	if _, ok := out.(*plainOutput); !ok {
		t.Errorf("%T", out)
	}
}

// screen is a terminal so simple that a test can look at it: lines, the cursor at their end, and the two sequences that live
// output uses.
type screen struct{ lines []string }

func (s *screen) show(t *testing.T, text string, columns int) {
	t.Helper()
	for text != "" {
		if up, rest, ok := strings.Cut(text, "A\x1b[J"); ok && strings.HasPrefix(up, "\x1b[") && len(up) < 5 {
			n := int(up[2] - '0')
			if n > len(s.lines) {
				t.Fatalf("%d lines up of %d", n, len(s.lines))
			}
			s.lines, text = s.lines[:len(s.lines)-n], rest
			continue
		}
		line, rest, _ := strings.Cut(text, "\n")
		s.lines, text = append(s.lines, line), rest
	}
}

// The region below the story is drawn again in its place, within the terminal's width, and gone at the end: what is left is
// the story.
func TestLiveLeavesTheStory(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	out, got, _ := newTestOutput(t, "live")
	madeUpRun(t, out)
	var s screen
	s.show(t, got.String(), 80)
	plain, want, _ := newTestOutput(t, "plain")
	madeUpRun(t, plain)
	story := strings.Split(strings.TrimSuffix(want.String(), "\n"), "\n")
	story = withoutTicks(story)
	if diff := cmp.Diff(story, s.lines); diff != "" {
		t.Errorf("what is left on the screen:\n%s", diff)
	}
	if strings.Contains(got.String(), "\x1b[1m") || strings.Contains(got.String(), "\x1b[0m") {
		t.Error("NO_COLOR is set, and there are colours")
	}
}

// withoutTicks: signs of life are in the region, not in the story.
func withoutTicks(lines []string) (kept []string) {
	for _, l := range lines {
		if !strings.Contains(l, "    … ") {
			kept = append(kept, l)
		}
	}
	return kept
}

func TestLiveRegion(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	out, got, stderr := newTestOutput(t, "live")
	rates := &gameday.Rates{Sent: 2000, Acked: 1990, Errors: 7, Processed: 1980, P99: 0.012, Lag: 12}
	for range 100 { // the curve keeps its length
		out.progress(gameday.Progress{
			Kind: gameday.Tick, Rates: rates, Phase: "observe", Index: 3, Of: 6, Left: 9 * time.Second,
			Nodes: map[string]string{"n2": "down", "n1": "up", "n3": "up"}, Faults: []string{"kill leader", strings.Repeat("日本", 40)},
		})
	}
	all := strings.Split(got.String(), "\x1b[J")
	last := all[len(all)-1]
	for _, part := range []string{"3/6 observe  9s left", "sent   2000/s", "refused or unanswered 7/s", "n1 up   \x1b[31mn2 down\x1b[0m   n3 up", "in force: kill leader"} {
		if !strings.Contains(last, part) {
			t.Errorf("the region %q does not say %q", last, part)
		}
	}
	lines := strings.Split(strings.TrimSuffix(last, "\n"), "\n")
	for _, l := range lines {
		if visible := width(strip(l)); visible > 80 {
			t.Errorf("%d columns: %q", visible, l)
		}
	}
	if o := out.(*liveOutput); o.region != len(lines) {
		t.Errorf("%d lines are drawn, and %d counted", len(lines), o.region)
	}
	out.notice("a word")
	if !strings.HasSuffix(got.String(), "\x1b[7A\x1b[J") || stderr.String() != "a word\n" {
		t.Errorf("a word in between does not take the region's place: %q", stderr)
	}
}

// strip removes escape sequences.
func strip(line string) string {
	for {
		before, after, ok := strings.Cut(line, "\x1b[")
		if !ok {
			return line
		}
		_, after, _ = strings.Cut(after, "m")
		line = before + after
	}
}

// Each line is one object whose fields are those of the documented types, and the last one of a run is its result.
func TestJSONIsOneObjectALine(t *testing.T) {
	out, got, _ := newTestOutput(t, "json")
	madeUpRun(t, out)
	out.end(nil, "runs/x", errors.New("the disk is full"))
	lines := strings.Split(strings.TrimSuffix(got.String(), "\n"), "\n")
	kinds := map[string]int{}
	for i, l := range lines {
		var kind struct{ Kind string }
		if err := json.Unmarshal([]byte(l), &kind); err != nil {
			t.Fatalf("line %d: %v: %s", i+1, err, l)
		}
		kinds[kind.Kind]++
		var into any = &gameday.Progress{}
		if kind.Kind == "result" || kind.Kind == "error" {
			into = &jsonEnd{}
		}
		d := json.NewDecoder(strings.NewReader(l))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
	}
	want := map[string]int{
		"start": 1, "node": 3, "target": 1, "load": 1, "phase": 3, "leader": 2, "tick": 2, "phase-end": 2, "act": 1,
		"draining": 1, "drained": 1, "judging": 1, "done": 1, "result": 1, "error": 1,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
	var end jsonEnd
	if err := json.Unmarshal([]byte(lines[len(lines)-2]), &end); err != nil || end.Result.Verdict != oracle.Pass || end.Folder == "" {
		t.Errorf("%+v, %v", end, err)
	}
	if last := lines[len(lines)-1]; last != `{"kind":"error","folder":"runs/x","error":"the disk is full"}` {
		t.Error(last)
	}
}

// The kinds that --help lists are all that there are.
func TestHelpListsTheKinds(t *testing.T) {
	var help bytes.Buffer
	if code := command(t.Context(), []string{"run", "--help"}, streams{out: &help, err: &help}); code != exitPass {
		t.Fatal(code)
	}
	text := strings.Join(strings.Fields(help.String()), " ")
	for _, kind := range []gameday.ProgressKind{
		gameday.Start, gameday.Target, gameday.Loading, gameday.PhaseOn, gameday.PhaseOff, gameday.Act, gameday.NodeState,
		gameday.Leader, gameday.Tick, gameday.Aborted, gameday.Draining, gameday.Drained, gameday.Judging, gameday.Done, gameday.LeftOut,
	} {
		if !strings.Contains(text, string(kind)+",") && !strings.Contains(text, string(kind)+")") {
			t.Errorf("--help does not list %s", kind)
		}
	}
}
