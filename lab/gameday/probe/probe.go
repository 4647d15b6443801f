// Package probe asks the system under test whether it is well, again and again: over HTTP, or by running a program.
//
// A probe that gets no answer in its time has failed; it never hangs. Each ask is on its own: an HTTP probe opens a new
// connection every time, because one that was opened before a fault may go on working and prove nothing.
package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// maxOutput bounds what is kept of an answer: an HTTP body, a program's output.
const maxOutput = 4 << 10

// answer is what one ask came to.
type answer struct {
	ok     bool
	detail string // "200 OK in 3.2ms", "connection refused", …
}

// asker asks once. ctx carries the probe's time-out.
type asker func(ctx context.Context) answer

// Run asks at once and then every p.Every, until ctx ends, and records what came of each ask with how long it took. An ask
// that is cut off by ctx is not recorded. While one ask takes longer than p.Every, those that would have come meanwhile are
// left out: there is never more than one.
//
// The error says that the probe cannot be asked at all (no kind, or a command that cannot be split); it is nil when ctx ends.
// record is called by the calling goroutine only.
func Run(ctx context.Context, name string, p scenario.Probe, record func(ok bool, latency time.Duration, detail string)) error {
	ask, closeProbe, err := open(p)
	if err != nil {
		return fmt.Errorf("probe %q: %w", name, err)
	}
	defer closeProbe()
	every, timeout := spans(p)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		begun := time.Now()
		a := once(ctx, timeout, ask)
		if ctx.Err() != nil {
			return nil
		}
		record(a.ok, time.Since(begun), a.detail)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

func once(ctx context.Context, timeout time.Duration, ask asker) answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a := ask(ctx)
	if !a.ok && ctx.Err() != nil {
		a.detail = fmt.Sprintf("no answer within %s", timeout)
	}
	return a
}

// spans are the probe's times, with the scenario's defaults for a probe that was not read from a file.
func spans(p scenario.Probe) (every, timeout time.Duration) {
	every, timeout = time.Duration(p.Every), time.Duration(p.Timeout)
	if every <= 0 {
		every = time.Second
	}
	if timeout <= 0 {
		timeout = every
	}
	return every, timeout
}

func open(p scenario.Probe) (ask asker, closeProbe func(), err error) {
	switch {
	case p.HTTP != "" && p.Command != "":
		return nil, nil, fmt.Errorf("asks both by http and by command: write two probes")
	case p.HTTP != "":
		return openHTTP(p)
	case p.Command != "":
		argv, err := p.Argv()
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context) answer { return runCommand(ctx, argv) }, func() {}, nil
	default:
		return nil, nil, fmt.Errorf("asks nothing: write http: http://127.0.0.1:8080/healthz, or command: my-check")
	}
}
