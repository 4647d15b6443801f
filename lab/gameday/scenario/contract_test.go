package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

func TestAContractIsReadInEachForm(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	all := scenario.Contract{Delivery: "exactly-once", Order: "key", MaxDelay: scenario.Duration(2 * time.Second), Forgive: []string{"caused"}}
	whole := "scenario: s\ntarget: { url: \"memory://\" }\nworkload: { keys: 4, consumers: 1 }\nphases: [ { baseline: 1s } ]\n"
	for _, test := range []struct {
		arg  string
		want scenario.Contract
	}{
		{"exactly-once,order=key,max-delay=2s,forgive=caused", all},
		{" exactly-once , order=key, forgive=caused, max-delay=2s ", all},
		{"delivery=at-most-once", scenario.Contract{Delivery: "at-most-once"}},
		{"order=producer", scenario.Contract{Delivery: "at-least-once", Order: "producer"}},
		{"at-least-once,forgive=caused,forgive=caused", scenario.Contract{Delivery: "at-least-once", Forgive: []string{"caused", "caused"}}},
		{"{ delivery: exactly-once, order: key, max-delay: 2s, forgive: [caused] }", all},
		{"{ contract: { delivery: at-most-once } }", scenario.Contract{Delivery: "at-most-once"}},
		{file("bare.yaml", "delivery: exactly-once\norder: key\nmax-delay: 2s\nforgive: [ caused ]\n"), all},
		{file("block.yml", "contract:\n  delivery: exactly-once\n  order: key\n  max-delay: 2s\n  forgive: [ caused ]\n"), all},
		{file("scenario", whole+"contract: { delivery: at-most-once, order: key }\n"), scenario.Contract{Delivery: "at-most-once", Order: "key"}},
		{file("none.yaml", whole), scenario.Contract{Delivery: "at-least-once"}},
	} {
		got, err := scenario.ReadContract("--contract", test.arg)
		if err != nil {
			t.Errorf("%s: %v", test.arg, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.arg, diff)
		}
	}
}

func TestAContractIsReadStrictly(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("contract:\n  delivery: at-least-once\n  oder: key\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{
		"":                                     `"" promises nothing: write for example at-least-once,order=key`,
		"at-lest-once":                         `contract.delivery: unknown word "at-lest-once", did you mean "at-least-once"?`,
		"at-least-once,oder=key":               `contract: unknown key "oder", did you mean "order"?`,
		"at-least-once,order=keys":             `contract.order: unknown word "keys", did you mean "key"?`,
		"at-least-once,exactly-once":           "delivery is there twice (at-least-once, exactly-once)",
		"at-least-once,order=":                 `"order=" promises nothing`,
		"at-least-once,":                       `"" promises nothing`,
		"at-least-once,max-delay=2":            "contract.max-delay:",
		"at-least-once,max-delay=-2s":          "contract.max-delay:",
		"at-least-once,forgive=all":            `contract.forgive[0]: unknown word "all"`,
		"{ delivery: at-least-once, oder: 1 }": `unknown key "oder"`,
		"{ delivery: ":                         "not YAML",
		"{ max-delay: { quick: 1s } }":         "has no timings",
		"{}":                                   "",
		broken:                                 broken + `:3:3: contract: unknown key "oder"`,
		filepath.Join(dir, "missing.yaml"):     "no such file",
		dir + "/":                              "no regular file",
		strings.Repeat("x", 1<<20):             "longer than 4096 bytes",
	} {
		_, err := scenario.ReadContract("--contract", arg)
		if want == "" {
			if err != nil {
				t.Errorf("%.60q: %v", arg, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %.300v, want %s", arg, err, want)
		}
		if err != nil && len(err.Error()) > 4096 {
			t.Errorf("%.60q: an error of %d bytes", arg, len(err.Error()))
		}
	}
}
