package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// output shows runs to a person or a program.
type output interface {
	begin(*scenario.Scenario)
	progress(gameday.Progress)
	// end tells what a run came to. res is nil if it could not be judged; err, which others print, says that havoq failed.
	end(res *result.Result, dir string, err error)
	series([]*result.Result) // after several runs
	pooled([]result.Pooled)  // what the runs of each scenario say together, if any was to be run more than once
	notice(text string)      // a word to the person in between
}

func newOutput(kind string, std streams) (output, error) {
	switch kind {
	case "auto":
		if live(std.out) {
			return newLiveOutput(std), nil
		}
		return &plainOutput{w: std.out, err: std.err}, nil
	case "live":
		return newLiveOutput(std), nil
	case "plain":
		return &plainOutput{w: std.out, err: std.err}, nil
	case "json":
		return &jsonOutput{w: json.NewEncoder(std.out), err: std.err}, nil
	}
	return nil, fmt.Errorf("--output %s: it is auto, live, plain or json", kind)
}

// live says whether w is a terminal on which redrawing makes sense.
func live(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == ""
}

// jsonOutput writes one JSON object a line: every progress report (gameday.Progress), then the result or the error.
type jsonOutput struct {
	mu  sync.Mutex
	w   *json.Encoder
	err io.Writer
}

// jsonEnd is the last line of a run.
type jsonEnd struct {
	Kind   string         `json:"kind"` // result, or error if there is none, or if it is not all
	Folder string         `json:"folder,omitempty"`
	Error  string         `json:"error,omitempty"`
	Result *result.Result `json:"result,omitempty"` // as in result.json
}

func (o *jsonOutput) begin(*scenario.Scenario) {}

func (o *jsonOutput) progress(p gameday.Progress) { o.line(p) }

func (o *jsonOutput) end(res *result.Result, dir string, err error) {
	line := jsonEnd{Kind: "result", Folder: dir, Result: res}
	if err != nil {
		line.Kind, line.Error = "error", err.Error()
	}
	o.line(line)
}

func (o *jsonOutput) line(v any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.w.Encode(v) // a reader that went away must not end the run before it has recovered
}

func (o *jsonOutput) series([]*result.Result) {}

func (o *jsonOutput) notice(text string) { fmt.Fprintln(o.err, text) }
