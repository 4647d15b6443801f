package cluster

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// helloLimit bounds the time from exec to the child's first word. A loaded machine starts a large test binary in a second or two.
const helloLimit = 20 * time.Second

// process is a child: a node or the keeper.
type process struct {
	what      string // "node n1"
	cmd       *exec.Cmd
	began     string        // when the kernel says it was started, to tell it from a later one with the same number
	lifeline  *os.File      // while this is open, the owner lives
	words     chan string   // what the child says, line by line; closed at its end
	done      chan struct{} // closed when it is reaped
	expected  atomic.Bool   // its end is somebody's intention
	followers sync.WaitGroup
}

// spawn starts a child and the goroutines that follow it, which end with it.
func (c *Cluster) spawn(ctx context.Context, kind, name, log, conf string) (*process, error) {
	what := strings.TrimSpace(kind + " " + name)
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", what, err)
	}
	defer out.Close()
	theirLife, ourLife, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", what, err)
	}
	defer theirLife.Close()
	ourWords, theirWords, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", what, err), ourLife.Close())
	}
	defer theirWords.Close()

	cmd := childCommand(c.cfg.Command, kind, name)
	cmd.Env = childEnvironment(os.Environ(), kind, conf)
	cmd.Dir = c.cfg.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirLife, out, out
	cmd.ExtraFiles = []*os.File{theirWords} // descriptor 3
	cmd.SysProcAttr = childAttributes(kind)
	p := &process{what: what, cmd: cmd, lifeline: ourLife, words: make(chan string, 16), done: make(chan struct{})}
	if err := c.launcher.start(ctx, cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s as %q: %w", what, cmd.Path, err), ourLife.Close(), ourWords.Close())
	}
	p.began, err = startTime(cmd.Process.Pid) // before it can be reaped, so this is its own
	p.followers.Go(func() { p.listen(ourWords) })
	p.followers.Go(p.reap)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", what, err), p.kill())
	}
	return p, nil
}

// childCommand is this executable or the given one, with arguments that only show what it is in a list of processes. A test
// binary that lacks the call of Main must at least not run all of its tests again.
func childCommand(command []string, kind, name string) *exec.Cmd {
	args := []string{"havoq-" + kind}
	if name != "" {
		args = append(args, name)
	}
	if len(command) == 0 {
		command = []string{ownExecutable()}
		if flag.Lookup("test.run") != nil {
			args = append([]string{"-test.run=^$"}, args...)
		}
	}
	return exec.Command(command[0], append(command[1:len(command):len(command)], args...)...)
}

// childEnvironment marks the child and keeps a node small, unless the user has set limits of their own.
func childEnvironment(env []string, kind, conf string) []string {
	for _, limit := range []string{"GOMEMLIMIT=" + nodeMemory, "GOGC=" + nodeGC, "GOMAXPROCS=" + nodeProcs} {
		key, _, _ := strings.Cut(limit, "=")
		if os.Getenv(key) == "" {
			env = append(env, limit)
		}
	}
	return append(env, childEnv+"="+kind, confEnv+"="+conf)
}

// listen passes the child's words on until it ends. Words that nobody takes are dropped beyond a few.
func (p *process) listen(from *os.File) {
	defer close(p.words)
	defer from.Close()
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		select {
		case p.words <- lines.Text():
		default:
		}
	}
}

func (p *process) reap() {
	defer close(p.done)
	defer p.lifeline.Close()
	_ = p.cmd.Wait() // ProcessState says it all
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ending says how the process ended; only after done.
func (p *process) ending() string { return p.cmd.ProcessState.String() }

// awaitHello waits for the first word, by which a process shows that it has become what it was started as.
func (p *process) awaitHello(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, helloLimit, fmt.Errorf("%w within %s", errSilent, helloLimit))
	defer cancel()
	err := p.await(ctx, "hello")
	if errors.Is(err, errSilent) {
		return fmt.Errorf("the executable %q did not become a process of the cluster: call cluster.Main() first in main or TestMain (%w)", p.cmd.Path, err)
	}
	return err
}

var errSilent = errors.New("it said nothing")

// await waits for a word. The child's own error, its end and the end of ctx are errors.
func (p *process) await(ctx context.Context, word string) error {
	select {
	case line, ok := <-p.words:
		if !ok {
			<-p.done
			return fmt.Errorf("%s: %w and ended: %s", p.what, errSilent, p.ending())
		}
		if text, failed := strings.CutPrefix(line, "error "); failed {
			if plain, err := strconv.Unquote(text); err == nil {
				text = plain
			}
			return errors.New(text)
		}
		if line != word {
			return fmt.Errorf("%s said %.80q instead of %q", p.what, line, word)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s did not say %q: %w", p.what, word, context.Cause(ctx))
	}
}

// kill ends the process for good, if it still runs, and waits until it is reaped and all that followed it is done.
func (p *process) kill() error {
	p.expected.Store(true)
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", p.pid(), err)
	}
	late := time.NewTimer(killLimit)
	defer late.Stop()
	select {
	case <-p.done:
		p.followers.Wait()
		return nil
	case <-late.C:
		return fmt.Errorf("process %d does not end %s after SIGKILL: it hangs in the kernel, as with a broken disk", p.pid(), killLimit)
	}
}
