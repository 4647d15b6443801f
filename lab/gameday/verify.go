package gameday

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/report"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// VerifyConfig says how to judge again. The zero value judges a run as it was judged, and a history alone by at-least-once.
type VerifyConfig struct {
	Contract *scenario.Contract // nil: the run's own
	// Witnesses and SettleTime are those of oracle.Config.
	Witnesses  int
	SettleTime time.Duration
}

// Judgement is what judging again came to.
type Judgement struct {
	Result *result.Result // of which Contract is the one that was used, in words
	// Recorded is the contract of the run itself, in words. Empty: it is not known, for the history was judged alone.
	Recorded string
	Warning  string // what was cut from the end of the history; empty: nothing
}

// Other says whether it was judged by another contract than the run's own.
func (j *Judgement) Other() bool { return j.Recorded != "" && j.Recorded != j.Result.Contract }

// Verify judges a run folder from its scenario, its run.json and its history, and from nothing else.
func Verify(dir string) (*result.Result, error) {
	j, err := VerifyRun(context.Background(), dir, VerifyConfig{})
	if err != nil {
		return nil, err
	}
	return j.Result, nil
}

// VerifyRun is Verify with a say in how to judge. It changes nothing in the folder. What the scenario expects is the outcome
// under its own contract: under another one it counts for nothing. The context's end is an error.
func VerifyRun(ctx context.Context, dir string, how VerifyConfig) (*Judgement, error) {
	info, err := result.ReadRunInfo(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; where there is but a history, name the file itself", err)
	}
	file := filepath.Join(dir, result.ScenarioFile)
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the run's scenario: %w; where there is but a history, name the file itself", err)
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
	recorded := s.Contract.String()
	if how.Contract != nil {
		s.Contract = *how.Contract
	}
	if s.Contract.String() != recorded {
		s.Expect = nil
	}
	return how.judge(ctx, h, recorded, result.Input{Scenario: s, Run: info})
}

// VerifyHistory judges a history of which nothing else is known.
func VerifyHistory(ctx context.Context, h *history.Reader, how VerifyConfig) (*Judgement, error) {
	contract := scenario.Contract{Delivery: "at-least-once"}
	if how.Contract != nil {
		contract = *how.Contract
	}
	head := h.Header()
	return how.judge(ctx, h, "", result.Input{
		Alone: true, Scenario: &scenario.Scenario{Name: head.Name, Title: head.Name, Contract: contract},
		Run: result.RunInfo{Name: head.Name, Scenario: head.Name, Seed: head.Seed, Started: head.Start},
	})
}

// ErrPart is what a history is that was dumped with a filter: a judge would miss in it what was left out.
var ErrPart = errors.New("the history is a part of another one")

func (how VerifyConfig) judge(ctx context.Context, h *history.Reader, recorded string, in result.Input) (*Judgement, error) {
	if part := h.Header().Info[history.Part]; part != "" {
		return nil, fmt.Errorf("%w, only %s: judge the whole one", ErrPart, part)
	}
	look := &inspector{ctx: ctx, reader: h}
	in.Events, in.Warning, in.Doubts = look.events, h.Warning, look.doubts
	in.Witnesses, in.SettleTime = how.Witnesses, how.SettleTime
	res, err := look.judge(in)
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case h.Err() != nil:
		return nil, h.Err()
	}
	return &Judgement{Result: res, Recorded: recorded, Warning: h.Warning()}, nil
}

// belongs holds that the parts of a run folder are of one run, and that its scenario is the one that was run.
func belongs(dir string, h history.Header, info result.RunInfo, source []byte) error {
	if h.Name != info.Name {
		return fmt.Errorf("%s: its history is of run %s, and its %s of run %s: put the files of one run together",
			dir, h.Name, result.RunFile, info.Name)
	}
	if !h.Start.Equal(info.Started) { // two runs within a second may have one name
		return fmt.Errorf("%s: its history is of a run that began at %s, and its %s of one that began at %s: put the files of one run "+
			"together", dir, h.Start.UTC().Format(time.RFC3339Nano), result.RunFile, info.Started.UTC().Format(time.RFC3339Nano))
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
