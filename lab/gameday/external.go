package gameday

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/observe"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
)

// load is what gives the system under test its work: havoq's own producers and consumers, or the user's application.
type load interface {
	Stats() workload.Stats
	SetRate(perSecond float64) error
	// Crash and Restart strike what does the work, and bring it back.
	Crash(ctx context.Context, name string) (evidence string, err error)
	Restart(ctx context.Context, name string) (evidence string, err error)
	// StopProducers ends what is judged, and Drain waits until the work on it is done.
	StopProducers(ctx context.Context) error
	Drain(ctx context.Context, limit time.Duration) workload.DrainResult
	Close(ctx context.Context) error
}

var (
	_ load = (*workload.Workload)(nil)
	_ load = (*external)(nil)
)

// external is the user's own application: the programs that havoq started, if any, and what is seen of them.
type external struct {
	observer *observe.Observer
	apps     *apps
}

// startExternal looks at what is there, starts the programs, and begins to observe.
func (r *run) startExternal(ctx context.Context, q queue.Queue) (_ *external, err error) {
	readable, ok := q.(queue.Readable)
	if !ok {
		return nil, fmt.Errorf("%s cannot read a topic beside its consumers, so that nobody sees what your application gets: use a "+
			"driver that can (nats)", q.Caps().Driver)
	}
	cfg, err := r.observeConfig(readable)
	if err != nil {
		return nil, err
	}
	looking, done := r.within(ctx, r.limits.start)
	defer done()
	x := &external{apps: newApps(r)}
	if x.observer, err = observe.Open(looking, cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closing, done := r.within(context.WithoutCancel(ctx), r.limits.close)
			defer done()
			err = errors.Join(err, x.Close(closing))
		}
	}()
	if err := x.apps.start(ctx, r.values(x.observer.CollectURL())); err != nil {
		return nil, err
	}
	starting, done := r.within(ctx, r.limits.start)
	defer done()
	if err := x.observer.Start(starting); err != nil {
		return nil, err
	}
	if cluster, ok := r.target.(*embedded); ok {
		cluster.stream = cmp.Or(x.observer.Stream(starting), cluster.stream)
	}
	return x, nil
}

// values are what the variables of a program's environment stand for.
func (r *run) values(collect string) map[string]string {
	servers, _, _ := strings.Cut(r.target.queueURL(r.cfg.Scenario), "?") // the rest is for havoq's own driver
	return map[string]string{"servers": servers, "collect": collect}
}

// beside is a path that a scenario names, which is seen from the scenario's own place.
func (r *run) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.cfg.Scenario.File), path)
}

func (r *run) observeConfig(q queue.Readable) (observe.Config, error) {
	s := r.cfg.Scenario
	o := s.Observe
	cfg := observe.Config{
		Recorder: r.recorder, Run: r.id, Start: r.history.Start(), Queue: q, Group: o.Group, Grace: time.Duration(o.Grace),
		Fresh: s.Target.Cluster != nil, Logger: r.log, Warn: r.warn,
	}
	var errs []error
	expression := func(text string) history.Expression {
		e, err := history.ParseExpression(text)
		errs = append(errs, err)
		return e
	}
	cfg.Input = observe.Topic{Name: o.Input.Topic, ID: expression(o.Input.ID)}
	if out := o.Output; out != nil {
		relations := map[string]observe.Relation{
			scenario.OneToOne: observe.OneToOne, scenario.OneToMany: observe.OneToMany, scenario.Filtered: observe.Filtered,
		}
		cfg.Output = &observe.Output{
			Topic: observe.Topic{Name: out.Topic, ID: expression(out.ID)}, Group: out.Group(), Relation: relations[out.Relation],
		}
		if out.Own != "" {
			own := expression(out.Own)
			cfg.Output.Own = &own
		}
	}
	if o.Collect != nil {
		cfg.Collect = &observe.Collect{Listen: o.Collect.Listen}
	}
	if e := o.Effect; e != nil {
		cfg.Effect = &observe.Effect{
			Lister: r.lister(e), Group: e.Group(), Every: time.Duration(e.Every), Timeout: time.Duration(e.Timeout),
		}
	}
	return cfg, errors.Join(errs...)
}

// warn tells people, now and in the history, what will keep the run from being judged.
func (r *run) warn(text string) {
	r.note("havoq", text)
	r.tell(Progress{Kind: Act, Text: "warning: " + text})
}

func (r *run) lister(e *scenario.Effect) observe.Lister {
	switch {
	case e.HTTP != "":
		return observe.Web{URL: e.HTTP, Path: e.IDs}
	case len(e.Command) > 0:
		return observe.Command{Argv: e.Command, Dir: r.beside(".")}
	}
	database := e.SQL
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		database = "sqlite:" + r.beside(path)
	}
	return observe.SQL{Database: database, Query: e.Query, Timeout: time.Duration(e.Timeout)}
}

// Stats are what was seen, in the words of havoq's own load.
func (x *external) Stats() workload.Stats {
	s := x.observer.Stats()
	return workload.Stats{
		Scheduled: s.Input, Offered: s.Input, Attempts: s.Input, Acked: s.Input, Processed: s.Processed, Work: s.Work, Lag: s.Lag,
		Foreign: s.Aside,
	}
}

// SetRate is not possible.
func (x *external) SetRate(float64) error {
	return errors.New("the rate is your application's, and havoq cannot change it")
}

// Crash kills a program that havoq started.
func (x *external) Crash(ctx context.Context, name string) (string, error) {
	return x.apps.kill(ctx, name)
}

// Restart starts a program that is down.
func (x *external) Restart(ctx context.Context, name string) (string, error) {
	return x.apps.up(ctx, name)
}

// StopProducers cuts the input: what comes behind is not judged.
func (x *external) StopProducers(ctx context.Context) error { return x.observer.Cut(ctx) }

// Drain waits until the application has done its work.
func (x *external) Drain(ctx context.Context, limit time.Duration) workload.DrainResult {
	if limit <= endedLimit { // of a run that was ended early: a look
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("the run was ended early, and this is only a look of %s", limit))
		defer cancel()
	}
	d := x.observer.Drain(ctx, limit)
	if n := x.observer.Stats().Late; n > 0 {
		d.Reason += fmt.Sprintf("; %d later messages are outside the judgement", n)
	}
	return workload.DrainResult{Proven: d.Proven, Left: d.Left, Took: d.Took, Reason: d.Reason}
}

// Close ends the programs that havoq started, and the observing.
func (x *external) Close(ctx context.Context) error {
	return errors.Join(x.apps.close(ctx), x.observer.Close(ctx))
}
