package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The layout of a run folder. LogsDir holds one log a node, named NODE.log.
const (
	ScenarioFile = "scenario.yaml" // the scenario's text as it was run
	RunFile      = "run.json"      // RunInfo, written at the start
	HistoryFile  = "history.havoq" // what happened; everything below is made from these three
	ResultFile   = "result.json"   // Result
	HTMLFile     = "report.html"
	MarkdownFile = "report.md"
	JUnitFile    = "junit.xml"
	LogFile      = "havoq.log" // what cluster, driver and load had to say
	LogsDir      = "nodes"
)

// NodeLog is the path of a node's log in a run folder.
func NodeLog(dir, node string) string { return filepath.Join(dir, LogsDir, node+".log") }

// WriteFile writes a file in one step: a reader sees the old content or all of the new, also if havoq or the machine dies
// meanwhile, or write fails.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w (is the run folder writable?)", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	err = errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Write writes result.json into a run folder.
func Write(dir string, r *Result) error {
	return WriteFile(filepath.Join(dir, ResultFile), func(w io.Writer) error { return writeJSON(w, r) })
}

// Load reads result.json of a run folder.
func Load(dir string) (*Result, error) {
	path := filepath.Join(dir, ResultFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the result of a run: %w", err)
	}
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("%s: schema %q is not known to this version, which reads %q: make it again with \"havoq verify %s\"",
			path, r.Schema, Schema, dir)
	}
	return &r, nil
}
