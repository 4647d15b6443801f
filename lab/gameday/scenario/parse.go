package scenario

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Options change how a scenario is read.
type Options struct {
	// Set changes values of the file: dotted paths as keys ("workload.rate", "phases.0.baseline", "timing"), and what would
	// stand in the file as values. They are read as strictly as the file.
	Set map[string]string
}

// Parse reads a scenario strictly and applies the defaults. file names the source in errors. The error is of type [Errors]
// and has everything that is wrong, in the order of the file. The source is kept in Scenario.Source.
func Parse(file string, source []byte, o Options) (*Scenario, error) {
	r := &reader{timing: "quick"}
	if whole := unreadable(source); whole != "" {
		return nil, Errors{{File: file, Msg: whole}}
	}
	root := r.tree(file, source, false)
	if root == nil {
		return nil, r.errs.ordered(file)
	}
	if root.kind == null {
		return nil, Errors{{File: file, Msg: `an empty scenario: begin with "scenario: my-first-game-day"`}}
	}
	for _, key := range slices.Sorted(maps.Keys(o.Set)) {
		r.set(root, key, o.Set[key])
	}
	if at := root.get("timing"); at != nil && at.kind == text {
		r.timing = at.text
	}
	s := &Scenario{File: file, Source: slices.Clone(source), Set: maps.Clone(o.Set)}
	r.value(root, reflect.ValueOf(s).Elem(), "")
	s.Timings = r.checkTimings(root.get("timing"))
	for _, check := range r.checks {
		check(s)
	}
	if len(r.errs) > 0 {
		return nil, r.errs.ordered(file)
	}
	return s, nil
}

// ParseFile reads a scenario file as Parse does.
func ParseFile(path string, o Options) (*Scenario, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	defer f.Close()
	source, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err != nil {
		return nil, fmt.Errorf("scenario: read %s: %w", path, err)
	}
	return Parse(path, source, o)
}

func unreadable(source []byte) string {
	switch {
	case len(source) > maxSource:
		return "larger than 1 MiB: this is not a scenario"
	case !utf8.Valid(source):
		return "not UTF-8 text: save it as UTF-8"
	case bytes.IndexByte(source, 0) >= 0:
		return "contains a zero byte: this is not a text"
	}
	return ""
}

func trimFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// structure reads n into the struct that v points to, with its rules.
func (r *reader) structure(n *node, v any, path string) {
	r.value(n, reflect.ValueOf(v).Elem(), path)
}
