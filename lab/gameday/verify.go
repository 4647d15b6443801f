package gameday

import (
	"fmt"
	"os"
	"path/filepath"

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
	res, err := result.Judge(result.Input{Scenario: s, Run: info, Events: h.Events})
	if err != nil {
		return nil, err
	}
	if err := h.Err(); err != nil {
		return nil, err
	}
	return res, nil
}

// Write puts the result and its reports into the run folder, each file whole or not at all.
func Write(dir string, res *result.Result) error {
	if err := result.Write(dir, res); err != nil {
		return err
	}
	return report.WriteAll(dir, res)
}
