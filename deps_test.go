package havoq_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The floors of each module, from the bottom. A package imports only packages of floors below its own (its subpackages are on
// its floor, and may import it). This is policy: a build is not fixed by changing it; say why in ARCHITECTURE.md if you must.
var floors = map[string][][]string{
	"github.com/havoqlab/havoq": {
		{"queue"},
		{"history", "fault"},
		{"chaos", "oracle", "resilience", "qdelay", "observe"},
	},
	"github.com/havoqlab/havoq/lab": {
		{"suggest"},
		{"drivers", "wire"},
		{"broker"},
		{"cluster"},
		{"proxy"},
		{"workload"},
		{"gameday/criteria"},
		{"gameday/scenario"},
		{"gameday/probe", "scenarios"},
		{"gameday/result"},
		{"gameday/report"},
		{"gameday"},
		{"admin", "dashboard"},
		{"cmd", "examples"},
	},
}

// sideways lists the imports within one floor that are allowed, each with its reason.
var sideways = map[string]string{
	"history → fault": "a hit is recorded as an event",
}

// allowedOutside is what the library may link besides the standard library. Tests are not held.
var allowedOutside = []string{"github.com/havoqlab/havoq/", "github.com/HdrHistogram/hdrhistogram-go"}

type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

func TestFloors(t *testing.T) {
	for module, levels := range floors {
		packages := list(t, module)
		if len(packages) == 0 {
			t.Errorf("%s: no packages listed: the rules hold nothing", module)
		}
		for _, p := range packages {
			checkFloor(t, module, levels, p)
		}
	}
}

func checkFloor(t *testing.T, module string, levels [][]string, p goPackage) {
	t.Helper()
	from, level := floorOf(module, levels, p.ImportPath)
	if from == "" {
		if p.ImportPath != module {
			t.Errorf("%s is on no floor: add it to floors", p.ImportPath)
		}
		return
	}
	for _, imported := range p.Imports {
		to, below := floorOf(module, levels, imported)
		switch {
		case to == "" || to == from || below < level:
		case below == level && sideways[from+" → "+to] != "":
		default:
			t.Errorf("%s (floor %d) imports %s (floor %d)", p.ImportPath, level+1, imported, below+1)
		}
	}
}

// floorOf finds the most specific floor entry that holds a package.
func floorOf(module string, levels [][]string, path string) (entry string, level int) {
	rel, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return "", 0
	}
	for i, names := range levels {
		for _, name := range names {
			if (rel == name || strings.HasPrefix(rel, name+"/")) && len(name) > len(entry) {
				entry, level = name, i
			}
		}
	}
	return entry, level
}

// TestLibraryLinksNoClient holds that importing the library brings no broker client or SDK into a program.
func TestLibraryLinksNoClient(t *testing.T) {
	for _, p := range list(t, "github.com/havoqlab/havoq") {
		for _, dep := range p.Deps {
			first, _, _ := strings.Cut(dep, "/")
			if !strings.Contains(first, ".") {
				continue // the standard library
			}
			if !slices.ContainsFunc(allowedOutside, func(a string) bool { return strings.HasPrefix(dep+"/", a) || strings.HasPrefix(dep, a) }) {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}

func list(t *testing.T, module string) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Standard,Imports,Deps,Module", module+"/...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list %s: %v\n%s", module, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && p.Module.Path == module {
			packages = append(packages, p)
		}
	}
	return packages
}
