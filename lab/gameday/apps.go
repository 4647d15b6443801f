package gameday

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/program"
)

const (
	stopGrace  = 10 * time.Second // for a program that was asked to end
	readyEvery = 100 * time.Millisecond
	readyAsk   = 2 * time.Second
)

// apps are the user's own programs that havoq started.
type apps struct {
	run *run

	acting   chan struct{} // a lock that is held while one is started or ended: a wait, so a channel
	mu       sync.Mutex
	running  map[string]*program.Program // the last of each name
	values   map[string]string
	watchers sync.WaitGroup
}

func newApps(r *run) *apps {
	return &apps{run: r, acting: make(chan struct{}, 1), running: map[string]*program.Program{}}
}

func (a *apps) list() []scenario.App { return a.run.cfg.Scenario.Workload.External }

// start starts all, in the order of the scenario.
func (a *apps) start(ctx context.Context, values map[string]string) error {
	a.values = values
	if len(a.list()) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(a.logOf("x")), 0o755); err != nil {
		return fmt.Errorf("make the place for the programs' output: %w", err)
	}
	for _, app := range a.list() {
		evidence, err := a.up(ctx, app.Name)
		if err != nil {
			return err
		}
		a.run.tell(Progress{Kind: Target, Text: app.Name + " " + evidence})
	}
	return nil
}

func (a *apps) logOf(name string) string { return result.NodeLog(a.run.dir, name) }

// lock is taken for each start and end; the error says that somebody else is at it for too long.
func (a *apps) lock(ctx context.Context) error {
	select {
	case a.acting <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("somebody else is starting or ending a program: %w", context.Cause(ctx))
	}
}

func (a *apps) unlock() { <-a.acting }

// current is the program of a name as it was last started; nil: it never was.
func (a *apps) current(name string) *program.Program {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running[name]
}

func isUp(p *program.Program) bool {
	if p == nil {
		return false
	}
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// up starts a program and returns when it is ready. One that is up already is not an error.
func (a *apps) up(ctx context.Context, name string) (evidence string, err error) {
	app, ok := a.run.cfg.Scenario.Workload.App(name)
	if !ok {
		return "", fmt.Errorf("havoq started no program %q", name)
	}
	if err := a.lock(ctx); err != nil {
		return "", err
	}
	defer a.unlock()
	if isUp(a.current(name)) {
		return name + " is up", nil
	}
	began := time.Now()
	var env []string
	for key, value := range app.Env {
		env = append(env, key+"="+scenario.Expand(value, a.values))
	}
	p, err := program.Start(program.Config{
		Name: name, Argv: app.Command, Dir: a.run.beside(app.Dir), Env: env, Log: a.logOf(name),
	})
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	a.running[name] = p
	a.mu.Unlock()
	if err := a.ready(ctx, app, p); err != nil {
		return "", errors.Join(err, p.Kill(context.WithoutCancel(ctx)))
	}
	a.run.nodeChanged(name, result.NodeUp, "")
	a.watchers.Go(func() { a.watch(name, p) })
	return fmt.Sprintf("up: process %d, ready after %s", p.PID(), criteria.FormatSeconds(time.Since(began).Seconds())), nil
}

// watch tells when a program ends, and whether it did so by itself.
func (a *apps) watch(name string, p *program.Program) {
	<-p.Done()
	if err := p.Ended(); err != nil {
		a.run.note("havoq", err.Error())
		a.run.nodeChanged(name, result.NodeDown, err.Error())
	}
}

// readyTime is how long a program of the user's own may take to be ready; 0: it is none, or does not say.
func (r *run) readyTime(name string) time.Duration {
	app, ok := r.cfg.Scenario.Workload.App(name)
	if !ok || app.Ready == nil {
		return 0
	}
	return time.Duration(app.Ready.Within)
}

// ready waits until the program says that it is.
func (a *apps) ready(ctx context.Context, app scenario.App, p *program.Program) error {
	if app.Ready == nil {
		return nil
	}
	within := time.Duration(app.Ready.Within)
	ctx, cancel := a.run.within(ctx, within)
	defer cancel()
	client := &http.Client{Timeout: readyAsk, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		err := askReady(ctx, client, app.Ready.HTTP)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("start %s: it ended before it was ready; see %s", app.Name, a.logOf(app.Name))
		case <-ctx.Done():
			return fmt.Errorf("start %s: not ready: %w (%w); see %s, or give it more time with ready.within", app.Name,
				err, context.Cause(ctx), a.logOf(app.Name))
		case <-time.After(readyEvery):
		}
	}
}

func askReady(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("ready.http is not a web address")
	}
	res, err := client.Do(req)
	if err != nil {
		return errors.New("it does not answer")
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096)) // what it says does not matter
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}

// kill ends a program, and all that it started, with kill -9.
func (a *apps) kill(ctx context.Context, name string) (evidence string, err error) {
	return a.down(ctx, name, func(p *program.Program) (string, error) {
		return fmt.Sprintf("process %d and its process group are gone (SIGKILL)", p.PID()), p.Kill(ctx)
	})
}

// end asks a program to end, and kills it if it does not.
func (a *apps) end(ctx context.Context, name string) (evidence string, err error) {
	return a.down(ctx, name, func(p *program.Program) (string, error) {
		killed, err := p.Stop(ctx, stopGrace)
		if killed {
			return fmt.Sprintf("process %d did not end within %s of SIGTERM, and was killed", p.PID(), stopGrace), err
		}
		return fmt.Sprintf("process %d has ended (SIGTERM)", p.PID()), err
	})
}

func (a *apps) down(ctx context.Context, name string, act func(*program.Program) (string, error)) (string, error) {
	if err := a.lock(ctx); err != nil {
		return "", err
	}
	defer a.unlock()
	p := a.current(name)
	if !isUp(p) {
		return "", fmt.Errorf("%s is down already: it ended before; see %s", name, a.logOf(name))
	}
	evidence, err := act(p)
	if err != nil {
		return "", err
	}
	a.run.nodeChanged(name, result.NodeDown, "")
	return evidence, nil
}

// close ends all, in the reverse order, each within ctx.
func (a *apps) close(ctx context.Context) error {
	var errs []error
	for _, app := range slices.Backward(a.list()) {
		p := a.current(app.Name)
		if p == nil {
			continue
		}
		if _, err := p.Stop(ctx, stopGrace/2); err != nil {
			errs = append(errs, err)
		}
	}
	a.watchers.Wait()
	return errors.Join(errs...)
}
