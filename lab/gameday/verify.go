package gameday

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/report"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// Verify judges a run folder from its scenario, its run.json and its history, and from nothing else.
func Verify(dir string) (*result.Result, error) {
	info, err := result.ReadRunInfo(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, result.ScenarioFile)
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the run's scenario: %w", err)
	}
	s, err := scenario.Parse(file, source, scenario.Options{Set: info.Environment.Set})
	if err != nil {
		return nil, err
	}
	h, err := history.Open(filepath.Join(dir, result.HistoryFile))
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }() // it was only read
	if err := belongs(dir, h.Header(), info, source); err != nil {
		return nil, err
	}
	res, err := result.Judge(result.Input{Scenario: s, Run: info, Events: h.Events, Warning: h.Warning})
	if err != nil {
		return nil, err
	}
	if err := h.Err(); err != nil {
		return nil, err
	}
	return res, nil
}

// belongs holds that the parts of a run folder are of one run, and that its scenario is the one that was run.
func belongs(dir string, h history.Header, info result.RunInfo, source []byte) error {
	if h.Name != info.Name {
		return fmt.Errorf("%s: its history is of run %s, and its %s of run %s: put the files of one run together",
			dir, h.Name, result.RunFile, info.Name)
	}
	if run := h.Info[scenarioSum]; run != "" && run != fingerprint(source, info.Environment.Set) {
		return fmt.Errorf("%s: %s, or the changes by --set in %s, are not those that were run: restore them, because the history "+
			"can be judged by its own scenario only", dir, result.ScenarioFile, result.RunFile)
	}
	return nil
}

// scenarioSum is where a history's header keeps the fingerprint of its scenario.
const scenarioSum = "scenario-sha256"

// fingerprint tells a scenario, with what --set changed, from every other one.
func fingerprint(source []byte, set map[string]string) string {
	sum := sha256.New()
	sum.Write(source)
	for _, key := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(sum, "\x00%s\x00%s", key, set[key])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Write puts the result and its reports into the run folder, each file whole or not at all.
func Write(dir string, res *result.Result) error {
	if err := result.Write(dir, res); err != nil {
		return err
	}
	return report.WriteAll(dir, res)
}
