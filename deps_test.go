package havoq_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The floors of each module, from the bottom. A package imports only packages of floors below its own (its subpackages are on
// its floor, and may import it). This is policy: a build is not fixed by changing it; say why in ARCHITECTURE.md if you must.
var floors = map[string][][]string{
	library: {
		{"queue", "internal"},
		{"history", "fault"},
		{"chaos", "oracle", "resilience", "qdelay", "observe"},
	},
	lab: {
		{"suggest", "program"},
		{"drivers", "wire"},
		{"broker"},
		{"cluster"},
		{"proxy"},
		{"workload", "observe"},
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

// The modules, and what the library may link besides the standard library and itself. Tests are not held.
const (
	library = "github.com/havoqlab/havoq"
	lab     = library + "/lab"
)

var allowedOutside = []string{"github.com/HdrHistogram/hdrhistogram-go"}

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
	for _, p := range list(t, library) {
		for _, dep := range p.Deps {
			if why := linkError(p.ImportPath, dep); why != "" {
				t.Errorf("%s links %s: %s", p.ImportPath, dep, why)
			}
		}
	}
}

// linkError says why a package of the library must not link dep, or "".
func linkError(path, dep string) string {
	first, _, _ := strings.Cut(dep, "/")
	switch {
	case !strings.Contains(first, "."): // the standard library
		return ""
	case within(dep, lab):
		return "the library is below lab, and knows nothing of it"
	case within(path, library+"/queue") && !within(dep, library+"/queue"):
		return "queue is the vocabulary of all: it is made of the standard library alone"
	case within(dep, library) || slices.ContainsFunc(allowedOutside, func(a string) bool { return within(dep, a) }):
		return ""
	default:
		return "whoever imports the library would get it, too"
	}
}

// within reports whether a package is root or below it.
func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func TestLinkErrors(t *testing.T) {
	for _, c := range []struct {
		path, dep string
		allowed   bool
	}{
		{"history", "os", true},
		{"history", library + "/queue", true},
		{"history", "github.com/HdrHistogram/hdrhistogram-go", true},
		{"history", "github.com/HdrHistogram/hdrhistogram-go/other", true},
		{"history", "github.com/HdrHistogram/hdrhistogram-gox", false},
		{"history", "github.com/nats-io/nats.go", false},
		{"history", lab, false},
		{"history", lab + "/workload", false},
		{"history", library + "/laboratory", true},
		{"history", library + "-fork/queue", false},
		{"queue", "crypto/rand", true},
		{"queue", library + "/queue/memory", true},
		{"queue", library + "/history", false},
		{"queue", "github.com/HdrHistogram/hdrhistogram-go", false},
		{"queue/memory", library + "/history", false},
		{"queue/memory", "golang.org/x/sync/errgroup", false},
	} {
		if why := linkError(library+"/"+c.path, c.dep); (why == "") != c.allowed {
			t.Errorf("%s links %s: %q", c.path, c.dep, why)
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

// TestNoTestSleeps holds that tests pass time by bubble.Sleep, which refuses to pass real time.
func TestNoTestSleeps(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		source, err := os.ReadFile(path)
		if at := strings.Index(string(source), "time."+"Sleep("); at >= 0 {
			t.Errorf("%s:%d sleeps: use bubble.Sleep", path, 1+strings.Count(string(source[:at]), "\n"))
		}
		return err
	})
	if err != nil || files < 100 {
		t.Errorf("%d files looked at, %v", files, err)
	}
}
