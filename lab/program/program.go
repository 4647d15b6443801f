// Package program runs programs of the user's own: each in a process group of its own, so that what it starts ends with it, with
// its output in a bounded file, and never longer than havoq lives.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Config says what to run.
type Config struct {
	Name string // for messages
	Argv []string
	Dir  string   // "": the current one
	Env  []string // added to havoq's own: "NAME=value"
	// Log is the file that the output is added to. "": it is thrown away.
	Log string
	// MaxLog bounds that file. 0: 64 MiB. What is beyond is thrown away, and the file says so.
	MaxLog int64
}

// Program is a program that was started. Its methods may be called concurrently.
type Program struct {
	cfg   Config
	cmd   *exec.Cmd
	group *group
	log   *boundedFile
	done  chan struct{} // closed when it has ended
	err   error         // of its end; readable when done is closed

	mu    sync.Mutex
	meant bool // its end was asked for
}

// errEnded is the end of a program that should go on.
var errEnded = errors.New("it has ended")

// Start starts a program. Kill or Stop must be called.
func Start(cfg Config) (*Program, error) {
	if len(cfg.Argv) == 0 {
		return nil, fmt.Errorf("start %s: no command", cfg.Name)
	}
	log, err := openLog(cfg.Log, cfg.MaxLog)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cfg.Name, err)
	}
	g, err := newGroup()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", cfg.Name, err), log.Close())
	}
	cmd := exec.Command(cfg.Argv[0], cfg.Argv[1:]...)
	cmd.Dir, cmd.Env = cfg.Dir, append(os.Environ(), cfg.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = pipesAfter
	g.join(cmd)
	if err := cmd.Start(); err != nil {
		g.kill()
		return nil, errors.Join(fmt.Errorf("start %s: %w", cfg.Name, err), log.Close())
	}
	p := &Program{cfg: cfg, cmd: cmd, group: g, log: log, done: make(chan struct{})}
	go p.wait()
	return p, nil
}

// pipesAfter is how long the output of an ended program may stay open: a child of it may hold it.
const pipesAfter = time.Second

func (p *Program) wait() {
	p.err = p.cmd.Wait()
	_ = p.log.Close() // what the program said is no evidence
	close(p.done)
}

// Done is closed when the program has ended, whoever ended it.
func (p *Program) Done() <-chan struct{} { return p.done }

// PID is its process number.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Ended says how the program ended by itself; nil while it runs, and when its end was asked for.
func (p *Program) Ended() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.meant {
		return nil
	}
	state := "with exit code 0"
	if p.err != nil {
		state = p.err.Error()
	}
	return fmt.Errorf("%s: %w by itself (%s)%s", p.cfg.Name, errEnded, state, p.seeLog())
}

func (p *Program) seeLog() string {
	if p.cfg.Log == "" {
		return ""
	}
	return "; see " + p.cfg.Log
}

func (p *Program) mean() {
	p.mu.Lock()
	p.meant = true
	p.mu.Unlock()
}

// Kill ends the program and all that it started with kill -9, and returns when it is seen gone.
func (p *Program) Kill(ctx context.Context) error {
	if p.alive() {
		p.mean()
	}
	p.group.kill()
	return p.await(ctx)
}

// Stop asks the program to end, and kills it if it has not after grace. killed: it had to.
func (p *Program) Stop(ctx context.Context, grace time.Duration) (killed bool, err error) {
	if p.alive() {
		p.mean()
		p.group.terminate()
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		p.group.kill() // what it left behind
		return false, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return true, p.Kill(context.WithoutCancel(ctx))
}

func (p *Program) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// killLimit bounds the wait for a killed program to be gone.
const killLimit = 10 * time.Second

func (p *Program) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killLimit)
	defer cancel()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s (process %d) does not end: %w", p.cfg.Name, p.PID(), context.Cause(ctx))
	}
}

// Output runs a program to its end and returns what it printed, at most so many bytes. Beyond them, and with another exit code
// than 0, it is an error.
func Output(ctx context.Context, cfg Config, most int) ([]byte, error) {
	if len(cfg.Argv) == 0 {
		return nil, fmt.Errorf("run %s: no command", cfg.Name)
	}
	g, err := newGroup()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", cfg.Name, err)
	}
	defer g.kill()
	out, said := bounded{most: most}, bounded{most: 4096}
	cmd := exec.CommandContext(ctx, cfg.Argv[0], cfg.Argv[1:]...)
	cmd.Dir, cmd.Env = cfg.Dir, append(os.Environ(), cfg.Env...)
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = pipesAfter
	cmd.Cancel = func() error { g.kill(); return nil }
	g.join(cmd)
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("run %s: %w", cfg.Name, context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("run %s: %w: %s", cfg.Name, err, lastLine(said.kept))
	case out.over:
		return nil, fmt.Errorf("run %s: it printed more than %d bytes", cfg.Name, most)
	}
	return out.kept, nil
}

// bounded keeps the first bytes that are written to it.
type bounded struct {
	kept []byte
	most int
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - len(b.kept)
	b.over = b.over || len(p) > room
	b.kept = append(b.kept, p[:min(len(p), room)]...)
	return len(p), nil
}

func lastLine(said []byte) string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(said), "?")), "\n")
	line := lines[len(lines)-1]
	return strings.ToValidUTF8(line[:min(len(line), 200)], "")
}
