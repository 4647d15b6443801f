package gameday

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/probe"
	"github.com/havoqlab/havoq/queue"
)

// watch starts everything that looks on while the phases run (guards, probes, the history, the leader, memory) and returns what stops and
// awaits it. A broken guard cancels the run.
func (r *run) watch(ctx context.Context, abort context.CancelCauseFunc) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	for name, p := range r.cfg.Scenario.Probes {
		watchers.Go(func() {
			err := probe.Run(ctx, name, p, func(ok bool, latency time.Duration, detail string) {
				r.recorder.Record(history.Event{
					Kind: history.Probe, Name: name, Value: btof(ok), Intended: int64(latency), Detail: detail, Outcome: queue.OK,
				})
			})
			if err != nil {
				abort(err)
			}
		})
	}
	watchers.Go(func() { r.every(ctx, 250*time.Millisecond, r.guards(abort)) })
	watchers.Go(func() { r.every(ctx, 250*time.Millisecond, r.evidence(abort)) })
	watchers.Go(func() { r.every(ctx, 500*time.Millisecond, r.leaders()) })
	watchers.Go(func() { r.every(ctx, time.Second, r.memory) })
	return func() { cancel(); watchers.Wait() }
}

func (r *run) every(ctx context.Context, d time.Duration, look func(context.Context)) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			look(ctx)
		}
	}
}

func (r *run) guards(abort context.CancelCauseFunc) func(context.Context) {
	var guards []*criteria.Guard
	for _, c := range r.cfg.Scenario.ParsedGuards {
		guards = append(guards, criteria.NewGuard(c))
	}
	return func(context.Context) {
		for _, g := range guards {
			if broken, why := g.Observe(time.Now(), r.live); broken {
				abort(&guardError{fmt.Sprintf("guard %q: %s", g.Text, why)})
			}
		}
	}
}

// evidence ends a run whose history cannot be written any more: what it does from there on would be for nothing.
func (r *run) evidence(abort context.CancelCauseFunc) func(context.Context) {
	return func(context.Context) {
		if err := r.history.Err(); err != nil {
			abort(r.historyError(err))
		}
	}
}

// leaders looks who leads the topic and records each change.
func (r *run) leaders() func(context.Context) {
	last := ""
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		leader, err := r.target.leader(ctx)
		states := r.target.states()
		if err != nil || states[leader] != "up" {
			leader = "" // those who are left may still name a dead one
		}
		if leader == last {
			return
		}
		if last != "" && states[last] == "up" {
			r.recorder.Record(history.Event{Kind: history.Node, Node: last, Detail: "up"})
		}
		if leader != "" {
			r.recorder.Record(history.Event{Kind: history.Node, Node: leader, Detail: "leader"})
			r.tell(Progress{Kind: Leader, Text: leader + " leads " + r.topic})
		}
		last = leader
	}
}

func (r *run) memory(context.Context) {
	for node, bytes := range r.target.memory() {
		r.recorder.Record(history.Event{Kind: history.Sample, Name: "rss", Node: node, Value: float64(bytes)})
	}
	if own, ok := ownMemory(); ok {
		r.recorder.Record(history.Event{Kind: history.Sample, Name: "rss", Node: "havoq", Value: float64(own)})
	}
}

// ownMemory is the resident size of this process, where the system tells (Linux), else what the Go runtime holds.
func ownMemory() (int64, bool) {
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 {
			pages, err := strconv.ParseInt(f[1], 10, 64)
			return pages * int64(os.Getpagesize()), err == nil
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys), true
}
