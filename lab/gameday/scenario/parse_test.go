package scenario_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
)

const small = `scenario: small
target: { cluster: {} }
phases:
  - baseline: { quick: 5s, full: 5m }
  - inject: { kill: leader }
`

func TestDefaults(t *testing.T) {
	s, err := scenario.Parse("small.yaml", []byte(small), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scenario.Cluster{Embedded: "nats", Nodes: 3, Replicas: 3}, *s.Target.Cluster); diff != "" {
		t.Error(diff)
	}
	want := scenario.Workload{
		Producers: 2, Consumers: 2, Rate: 1000, Size: 512, Ack: "after", Retry: scenario.Duration(30 * time.Second),
	}
	if diff := cmp.Diff(want, s.Workload); diff != "" {
		t.Error(diff)
	}
	if s.Title != "small" || s.Repeat != 1 || s.Timing != "quick" || string(s.Source) != small || s.File != "small.yaml" {
		t.Errorf("%+v", s)
	}
}

func TestEverythingIsRead(t *testing.T) {
	s, err := scenario.ParseFile("testdata/everything.yaml", scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ms := func(n int) scenario.Duration { return scenario.Duration(time.Duration(n) * time.Millisecond) }
	want := &scenario.Scenario{
		Name: "everything", Title: `Everything: "all" of it`, Hypothesis: "Two lines\nof text.",
		Roles:         map[string]string{"executor": "Ada", "observer": ""},
		Prerequisites: []scenario.Prerequisite{{Check: "cluster.nodes >= 3"}, {Confirm: "dashboard open", Timing: "long"}},
		Target:        scenario.Target{Cluster: &scenario.Cluster{Embedded: "nats", Nodes: 5, Replicas: 3, Port: 14222}},
		Workload: scenario.Workload{
			Producers: 3, Consumers: 1, Rate: 2, Size: 4096, Keys: 64, Work: ms(1), Ack: "early", Retry: ms(90_000), Limit: 100, Backlog: 50,
		},
		Contract: scenario.Contract{Delivery: "exactly-once", Order: "key", MaxDelay: ms(500), Forgive: []string{"caused"}},
		Faults: []scenario.Fault{
			{Name: "split", Do: scenario.Act{Pause: "follower", For: ms(10_000)}},
			{Name: "down", Do: scenario.Act{Stop: "n2"}},
		},
		Probes: map[string]scenario.Probe{
			"checkout": {HTTP: "http://127.0.0.1:8080/healthz", Status: 204, Every: ms(500), Timeout: ms(2000)},
			"alert":    {Command: `sh -c 'curl -s localhost:9093/api/v2/alerts | grep -q "queue down"'`, Every: ms(1000), Timeout: ms(1000)},
		},
		Phases: []scenario.Phase{
			{Baseline: &scenario.Span{For: 5 * time.Second}},
			{Inject: &scenario.Inject{Act: scenario.Act{Wipe: "leader", For: ms(5000)}}},
			{Inject: &scenario.Inject{Names: []string{"split"}}},
			{Inject: &scenario.Inject{Names: []string{"down"}}},
			{Inject: &scenario.Inject{Act: scenario.Act{Crash: "consumer-1"}}},
			{Inject: &scenario.Inject{Act: scenario.Act{Restart: "each"}}},
			{Inject: &scenario.Inject{Act: scenario.Act{Kill: "all"}}},
			{Observe: &scenario.Span{For: 500 * time.Millisecond}},
			{Observe: &scenario.Span{For: 35 * time.Second, Until: "decided"}},
			{Recover: &scenario.Recover{Start: "n5", Wipe: true}},
			{Recover: &scenario.Recover{Names: []string{"split"}}},
			{Recover: &scenario.Recover{Names: []string{"down"}}},
			{Recover: &scenario.Recover{}},
			{Load: &scenario.Load{Factor: 2.5, For: 5 * time.Second}},
			{Load: &scenario.Load{Rate: 5000, For: time.Second}},
		},
		Expect: &scenario.Expect{Verdict: "aborted", Bounds: map[string]string{"lost": "> 0", "queued": "!= 3"}},
		Repeat: 3, Timing: "short", Seed: math.MaxUint64,
		File: s.File, Source: s.Source, Timings: []string{"short", "long"},
		Criteria: s.Criteria, Guards: s.Guards,
		ParsedCriteria: s.ParsedCriteria, ParsedGuards: s.ParsedGuards, ParsedChecks: s.ParsedChecks,
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	if len(s.ParsedCriteria) != 6 || len(s.ParsedGuards) != 2 || len(s.ParsedChecks) != 2 || s.ParsedChecks[1].Op != "" {
		t.Error("an expression is missing")
	}
}

func TestSet(t *testing.T) {
	set := func(pairs ...string) (*scenario.Scenario, error) {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return scenario.Parse("small.yaml", []byte(small), scenario.Options{Set: m})
	}
	s, err := set("workload.rate", "5/s", "timing", "full", "target.cluster.nodes", "5", "phases.1.inject.kill", "n5",
		"criteria", "[lost == 0]", "title", "42", "expect.verdict", "fail", "expect.lost", "> 3")
	if err != nil {
		t.Fatal(err)
	}
	if s.Workload.Rate != 5 || s.Phases[0].Baseline.For != 5*time.Minute || s.Target.Cluster.Nodes != 5 ||
		s.Phases[1].Inject.Act.Kill != "n5" || s.ParsedCriteria[0].Query.Metric != "lost" || s.Title != "42" ||
		s.Expect.Bounds["lost"] != "> 3" || s.Set["title"] != "42" {
		t.Errorf("%+v", s)
	}
	for _, c := range []struct{ key, value, want string }{
		{"workload.rate", "fast", `--set workload.rate=fast: workload.rate: "fast": a rate is messages per time: "2000/s" or "90/m"`},
		{"workloud.rate", "5/s", `--set workloud.rate=5/s: unknown key "workloud", did you mean "workload"?`},
		{"workload.rat", "5/s", `--set workload.rat=5/s: workload: unknown key "rat", did you mean "rate"?`},
		{"timing", "slow", `--set timing=slow: timing: unknown timing "slow"; there are quick, full`},
		{"phases.7.baseline", "5s", `--set phases.7.baseline=5s: phases.7: a list of 2: its entries are named 0 to 1`},
		{"scenario.x", "5s", `--set scenario.x=5s: scenario.x: "small" stands here: it has nothing inside`},
		{"", "5s", `--set =5s: : an empty name in the path: write it like workload.rate=1000/s`},
		{"phases.1.inject.kill", "n9", `--set phases.1.inject.kill=n9: phases[1].inject.kill: node n9 is beyond the cluster of 3 (n1, n2, n3)`},
		{"workload.keys", "", `--set workload.keys=: workload.keys: "" is not a whole number`},
		{"criteria", "[lost = 0]", `--set criteria=[lost = 0]: criteria[0]: "lost = 0": unknown operator "=", did you mean "=="?`},
		{"title", "[", `--set title=[: not YAML: sequence end token ']' not found`},
	} {
		if _, err := set(c.key, c.value); err == nil || err.Error() != c.want {
			t.Errorf("%s=%s:\n got %v\nwant %s", c.key, c.value, err, c.want)
		}
	}
}

func TestFileErrorsComeBeforeSetErrors(t *testing.T) {
	source := strings.Replace(small, "target", "terget", 1)
	_, err := scenario.Parse("a.yaml", []byte(source), scenario.Options{Set: map[string]string{"seed": "x"}})
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "a.yaml:1:1: target: missing") || !strings.HasPrefix(lines[1], "a.yaml:2:1: unknown key") ||
		!strings.HasPrefix(lines[2], "--set seed=x: ") {
		t.Error(err)
	}
}

func TestParseFileNamesTheFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := scenario.ParseFile(missing, scenario.Options{}); err == nil || !strings.Contains(err.Error(), missing) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// What would make a YAML parser recurse without end, or work for minutes, ends at once with a message.
func TestHostileInputIsBounded(t *testing.T) {
	for name, source := range map[string]string{
		"too large":      strings.Repeat("#", 1<<20+1),
		"not UTF-8":      "title: \xff",
		"zero byte":      "title: \x00",
		"open lists":     strings.Repeat("[", 50_000),
		"open maps":      strings.Repeat("{a: ", 25_000),
		"dashes":         strings.Repeat("- ", 50_000),
		"question marks": strings.Repeat("? ", 25_000),
		"keys":           strings.Repeat("a:\n", 25_000),
		"tags":           strings.Repeat("!a ", 25_000),
		"staircase":      staircase(1400),
		"aliases":        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			_, err := scenario.Parse("hostile.yaml", []byte(source), scenario.Options{})
			if err == nil {
				t.Fatal("accepted")
			}
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("took %s", took)
			}
			if len(err.Error()) > 100_000 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
}

func staircase(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%*sa:\n", i, "")
	}
	return b.String()
}

func TestExpect(t *testing.T) {
	counts := criteria.Facts{"lost": 3, "acked": 100}
	e := scenario.Expect{Verdict: "fail", Bounds: map[string]string{"lost": "> 0", "acked": "== 100"}}
	if ok, why := e.Met(oracle.Fail, counts); !ok || why != "" {
		t.Errorf("not met: %s", why)
	}
	if ok, why := e.Met(oracle.Pass, counts); ok || why != "verdict is pass, not fail" {
		t.Errorf("met %v: %s", ok, why)
	}
	e.Bounds["queued"] = "== 0"
	e.Bounds["lost"] = "> 5"
	if ok, why := e.Met(oracle.Fail, counts); ok || why != "lost is 3, not > 5; no data for queued" {
		t.Errorf("met %v: %s", ok, why)
	}
}

func TestActsInWords(t *testing.T) {
	lease := scenario.Duration(12 * time.Second)
	for want, a := range map[string]scenario.Act{
		"kill -9 the leader of the stream":                   {Kill: "leader"},
		"pause a follower of the stream (SIGSTOP) for 12s":   {Pause: "follower", For: lease},
		"stop all nodes gracefully":                          {Stop: "all"},
		"restart each node, one after the other, gracefully": {Restart: "each"},
		"kill -9 n2 and wipe its disk":                       {Wipe: "n2"},
		"crash all consumers with what they have in hand":    {Crash: "consumers"},
		"crash consumer-1 with what it has in hand for 12s":  {Crash: "consumer-1", For: lease},
		"nothing": {},
	} {
		if got := a.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Whatever is read gives a scenario or a message with a place, and never a panic; what is accepted describes itself.
func sound(t interface{ Fatalf(string, ...any) }, source []byte, set map[string]string) {
	s, err := scenario.Parse("x.yaml", source, scenario.Options{Set: set})
	switch {
	case err != nil && err.Error() == "":
		t.Fatalf("an empty message for %q", source)
	case err == nil:
		_ = scenario.Runbook(s)
		if len(s.Phases) == 0 || s.Workload.IsExternal() == (s.Workload.Rate > 0) || s.Target.Cluster != nil && s.Target.Cluster.Replicas > s.Target.Cluster.Nodes {
			t.Fatalf("accepted %q", source)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/broken/*.yaml", "testdata/everything.yaml", "../../scenarios/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(source, "workload.rate", "5/s")
		}
	}
	f.Fuzz(func(t *testing.T, source []byte, key, value string) {
		sound(t, source, nil)
		sound(t, source, map[string]string{key: value})
	})
}

// A sound file with pieces cut out, doubled and swapped is what people send.
func TestDamagedFilesNeverPanic(t *testing.T) {
	source := readFile(t, "testdata/everything.yaml")
	rapid.Check(t, func(t *rapid.T) {
		text := string(source)
		for range rapid.IntRange(1, 5).Draw(t, "cuts") {
			from := rapid.IntRange(0, len(text)).Draw(t, "from")
			to := min(len(text), from+rapid.IntRange(0, 40).Draw(t, "length"))
			piece := rapid.SampledFrom([]string{"", text[from:to] + text[from:to], "{", "}", "]", ": ", "- ", "\n", "5", "null", "&a ", "*a", "!!x "}).Draw(t, "piece")
			text = text[:from] + piece + text[to:]
		}
		sound(t, []byte(text), nil)
	})
}

func TestArgv(t *testing.T) {
	for command, want := range map[string]string{
		`pg_isready -h 127.0.0.1`:             "pg_isready|-h|127.0.0.1",
		"  a \t b\n":                          "a|b",
		`a 'b c' "d \"e\" $x" '' f\ g`:        `a|b c|d "e" $x||f g`,
		`sh -c 'curl x | grep y > /dev/null'`: "sh|-c|curl x | grep y > /dev/null",
		`a"b"'c'd`:                            "abcd",
		`'a\b'`:                               `a\b`,
	} {
		got, err := scenario.Probe{Command: command}.Argv()
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q, %v", command, got, err)
		}
	}
	for _, command := range []string{"", "  ", "''", "a 'b", `a "b`, `a \`, "a | b", "a > b", "a && b", "echo $HOME", "ls *.go", "a; b", "a # b"} {
		if got, err := (scenario.Probe{Command: command}).Argv(); err == nil {
			t.Errorf("%q gave %q", command, got)
		}
	}
}
