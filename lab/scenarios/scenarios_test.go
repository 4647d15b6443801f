package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/scenarios"
)

func TestReadGivesEachAndNamesThemAll(t *testing.T) {
	names := scenarios.Names()
	if !slices.Contains(names, scenarios.Default) || !slices.IsSorted(names) {
		t.Fatalf("names: %v", names)
	}
	for _, name := range names {
		if text, err := scenarios.Read(name); err != nil || !strings.Contains(string(text), "\nscenario: "+name+"\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"nothing", "", "../scenarios", "early-ack.yaml"} {
		if _, err := scenarios.Read(name); err == nil || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
