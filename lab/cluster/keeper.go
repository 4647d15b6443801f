package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// keeperLimit bounds one exchange with the keeper.
const keeperLimit = 20 * time.Second

// keeper is the owner's side of the process that ends the nodes when the owner cannot.
type keeper struct {
	cluster *Cluster

	mu   sync.Mutex
	proc *process
	kept []*process
}

// keep puts a process into the keeper's care and returns when the keeper has confirmed it. It may be called again for the
// same one, to be sure. If the keeper is gone, because somebody killed it, another takes its place.
func (k *keeper) keep(ctx context.Context, p *process) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, keeperLimit)
	defer cancel()
	k.kept = slices.DeleteFunc(k.kept, func(q *process) bool { return q == p || !q.alive() })
	k.kept = append(k.kept, p)
	if k.proc != nil {
		err := k.tell(ctx, p)
		if err == nil || ctx.Err() != nil {
			return err
		}
		k.cluster.cfg.Logger.Error("the keeper is gone, another takes its place", "pid", k.proc.pid(), "error", err)
		if err := k.proc.kill(); err != nil {
			return fmt.Errorf("replace the keeper: %w", err)
		}
	}
	return k.replace(ctx)
}

// start starts the keeper before there is anything to keep.
func (k *keeper) start(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, keeperLimit)
	defer cancel()
	return k.replace(ctx)
}

// replace starts a keeper that knows all.
func (k *keeper) replace(ctx context.Context) (err error) {
	k.proc, err = k.cluster.spawn(ctx, "keeper", "", filepath.Join(k.cluster.cfg.Dir, "keeper.log"), "")
	if err != nil {
		return err
	}
	if err := k.proc.awaitHello(ctx); err != nil {
		return err
	}
	for _, p := range k.kept {
		if err := k.tell(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) tell(ctx context.Context, p *process) error {
	if _, err := fmt.Fprintf(k.proc.lifeline, "%d %s\n", p.pid(), p.began); err != nil {
		return fmt.Errorf("tell the keeper of %s: %w", p.what, err)
	}
	return k.proc.await(ctx, "kept")
}

// close ends the keeper: it finds no process left to end, and exits.
func (k *keeper) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.proc == nil {
		return nil
	}
	k.proc.expected.Store(true)
	if k.proc.alive() {
		_ = k.proc.lifeline.Close() // its end is the message; that it was closed already is as good
		select {
		case <-k.proc.done:
		case <-time.After(killLimit):
		}
	}
	if err := k.proc.kill(); err != nil {
		return fmt.Errorf("the keeper: %w", err)
	}
	return nil
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ward is a process in the keeper's care, by the keeper's own handle, which on Linux stays with the process even if its
// number is used again.
type ward struct {
	pid    int
	began  string
	handle *os.Process
}

// runKeeper is the keeper: it takes process numbers until the owner's end of the pipe closes, and then kills what is left.
func runKeeper() int {
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM)
	words := os.NewFile(3, "words")
	fmt.Fprintln(words, "hello")
	wards, err := takeWards(os.Stdin, words)
	for _, w := range wards {
		if e := w.end(); e != nil {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fail(words, err)
	}
	return exitOK
}

// takeWards reads one process a line, its number and its start time, and confirms each.
func takeWards(from io.Reader, to io.Writer) ([]ward, error) {
	var wards []ward
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var w ward
		if _, err := fmt.Sscan(lines.Text(), &w.pid, &w.began); err != nil || w.pid <= 1 {
			return wards, fmt.Errorf("keeper: %q is not a process number and its start time", lines.Text())
		}
		handle, err := os.FindProcess(w.pid)
		if err != nil {
			return wards, fmt.Errorf("keeper: process %d: %w", w.pid, err)
		}
		w.handle = handle
		wards = append(wards, w)
		fmt.Fprintln(to, "kept")
	}
	return wards, lines.Err()
}

// end kills the process, unless it is gone or another one has its number.
func (w ward) end() error {
	began, err := startTime(w.pid)
	if err != nil || began != w.began {
		return nil
	}
	if err := w.handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("keeper: kill process %d: %w", w.pid, err)
	}
	return nil
}
