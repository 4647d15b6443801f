package cluster

import (
	"context"
	"os/exec"
	"runtime"
)

// launcher starts all children from one thread that lives until Close. On Linux the parent death signal is sent when the
// thread that started the child dies, and Go ends threads at its own discretion, except for one that is locked.
type launcher struct {
	jobs chan launch
	quit chan struct{}
	done chan struct{}
}

type launch struct {
	cmd   *exec.Cmd
	reply chan error
}

func startLauncher() *launcher {
	l := &launcher{jobs: make(chan launch), quit: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

func (l *launcher) run() {
	defer close(l.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread() // all children are gone by then
	for {
		select {
		case job := <-l.jobs:
			job.reply <- job.cmd.Start()
		case <-l.quit:
			return
		}
	}
}

func (l *launcher) start(ctx context.Context, cmd *exec.Cmd) error {
	job := launch{cmd, make(chan error, 1)}
	select {
	case l.jobs <- job:
		return <-job.reply // fork and exec, which cannot be given up half-way
	case <-l.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *launcher) close() {
	close(l.quit)
	<-l.done
}
