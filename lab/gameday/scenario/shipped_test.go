package scenario_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/scenarios"
)

func shipped(t *testing.T, name string, set map[string]string) *scenario.Scenario {
	t.Helper()
	source, err := scenarios.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(name+".yaml", source, scenario.Options{Set: set})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShippedScenarios(t *testing.T) {
	want := []string{
		"early-ack", "message-flood", "paused-broker", "primary-broker-failure", "rolling-restart", "two-of-three-down", "unreplicated",
	}
	if got := strings.Join(scenarios.Names(), " "); got != strings.Join(want, " ") {
		t.Fatalf("shipped: %s", got)
	}
	flaws := map[string]string{"early-ack": "verdict fail, lost > 0", "unreplicated": "verdict fail, lost > 0"}
	for _, name := range want {
		t.Run(name, func(t *testing.T) {
			s := shipped(t, name, nil)
			if s.Name != name || s.Title == name || s.Hypothesis == "" {
				t.Errorf("named %q, title %q, hypothesis %q", s.Name, s.Title, s.Hypothesis)
			}
			if len(s.ParsedCriteria) != len(s.Criteria) || len(s.ParsedGuards) != len(s.Guards) || len(s.ParsedChecks) != len(s.Prerequisites) {
				t.Error("an expression was not parsed")
			}
			expect := ""
			if s.Expect != nil {
				expect = s.Expect.String()
			}
			if expect != flaws[name] {
				t.Errorf("expects %q, want %q", expect, flaws[name])
			}
			if longest := length(s); longest > 48*time.Second {
				t.Errorf("takes up to %s: a demonstration is shorter than a minute with start and drain", longest)
			}
			for _, p := range s.Prerequisites {
				if p.Confirm != "" && p.Applies(s.Timing) {
					t.Errorf("asks a person (%q): the quick form must run alone", p.Confirm)
				}
			}
		})
	}
}

func length(s *scenario.Scenario) (sum time.Duration) {
	for _, p := range s.Phases {
		sum += p.Length()
	}
	return sum
}

func TestTimingFullIsTheSeedsOwn(t *testing.T) {
	s := shipped(t, "primary-broker-failure", map[string]string{"timing": "full"})
	var got []string
	for _, p := range s.Phases {
		got = append(got, p.Describe())
	}
	want := []string{
		"baseline for 5m", "inject: kill -9 the leader of the stream", "observe until decided, at most 1m", "observe for 2m",
		"recover: all faults", "observe for 5m",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("phases:\n%s", strings.Join(got, "\n"))
	}
	if strings.Join(s.Timings, " ") != "quick full" || s.Timing != "full" {
		t.Errorf("timings %v, chosen %q", s.Timings, s.Timing)
	}
}

func TestRunbook(t *testing.T) {
	for _, c := range []struct {
		file, name string
		set        map[string]string
	}{
		{"primary-broker-failure.md", "primary-broker-failure", nil},
		{"primary-broker-failure-full.md", "primary-broker-failure", map[string]string{"timing": "full", "roles.observer": "Grace"}},
		{"unreplicated.md", "unreplicated", nil},
		{"message-flood.md", "message-flood", nil},
	} {
		golden(t, filepath.Join("testdata", "runbook", c.file), scenario.Runbook(shipped(t, c.name, c.set)))
	}
	s, err := scenario.ParseFile("testdata/external.yaml", scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "runbook", "external.md"), scenario.Runbook(s))
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := scenario.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(scenario.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(scenario.SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func asJSON(t *testing.T, source []byte) (any, error) {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(source, &v); err != nil {
		return nil, err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

func TestSchemaAcceptsWhatIsShipped(t *testing.T) {
	schema := compiled(t)
	for _, name := range scenarios.Names() {
		source, err := scenarios.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := asJSON(t, source)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, file := range []string{"testdata/everything.yaml", "testdata/external.yaml", "testdata/external-alone.yaml"} {
		v, err := asJSON(t, readFile(t, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The schema cannot know what goes over several places; these broken files are broken within one.
func TestSchemaRefusesWhatIsBrokenInOnePlace(t *testing.T) {
	schema := compiled(t)
	for _, name := range []string{
		"bad-name", "contract-words", "duration-without-unit", "engine-unknown", "expect-bounds", "later-fault", "later-verb",
		"many", "no-phases", "no-verb", "null-values", "numbers", "phases-missing",
		"probe-with-both", "quoted-needed", "rate-negative", "rate-without-unit", "rate-words", "size-without-unit", "target-both",
		"two-verbs-in-a-step", "two-verbs-in-an-act", "unknown-key", "unknown-nested-key", "unknown-step", "unknown-verb",
		"until-unknown", "until-without-max", "wrong-shapes",
		"external-env", "external-programs", "external-word", "observe-effect-kinds", "observe-effect-sql", "observe-nothing",
		"observe-same-topic", "observe-topics",
	} {
		v, err := asJSON(t, readFile(t, "testdata/broken/"+name+".yaml"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if schema.Validate(v) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
