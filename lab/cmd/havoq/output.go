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
	end(res *result.Result, dir string) // res is nil if the run could not be judged
	series([]*result.Result)            // after several runs
}

func newOutput(kind string, std streams) (output, error) {
	switch kind {
	case "auto":
		if live(std.out) {
			return newLiveOutput(std.out), nil
		}
		return &plainOutput{w: std.out}, nil
	case "live":
		return newLiveOutput(std.out), nil
	case "plain":
		return &plainOutput{w: std.out}, nil
	case "json":
		return &jsonOutput{w: json.NewEncoder(std.out)}, nil
	}
	return nil, fmt.Errorf("--output %s: it is auto, live, plain or json", kind)
}

// live says whether w is a terminal on which redrawing makes sense.
func live(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == ""
}

// jsonOutput writes one JSON object a line: every progress report, then the result.
type jsonOutput struct {
	mu sync.Mutex
	w  *json.Encoder
}

func (o *jsonOutput) begin(*scenario.Scenario) {}

func (o *jsonOutput) progress(p gameday.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.w.Encode(p) // a reader that went away must not end the run before it has recovered
}

func (o *jsonOutput) end(res *result.Result, dir string) {
	if res == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.w.Encode(struct {
		Kind   string         `json:"kind"`
		Folder string         `json:"folder"`
		Result *result.Result `json:"result"`
	}{"result", dir, res})
}

func (o *jsonOutput) series([]*result.Result) {}
