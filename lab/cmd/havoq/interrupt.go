package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/havoqlab/havoq/lab/gameday"
)

// interruptible cancels the context at the first Ctrl-C (or SIGTERM, or the end of the terminal) and leaves at once at the
// second; the cluster's keeper then ends its processes. say tells the person of it.
//
// A reader of the output that went away (havoq run | head) ends nothing: writing to it fails, and the run goes on to its end.
func interruptible(parent context.Context, say func(string)) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	pipes := make(chan os.Signal, 1) // nobody reads it. Ignored instead of caught, the signal would be so in probes, too.
	signal.Notify(pipes, syscall.SIGPIPE)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			say("havoq: interrupted: taking back what was injected; once more to leave at once")
			cancel(gameday.ErrInterrupted)
		case <-done:
			return
		}
		select {
		case <-signals:
			os.Exit(exitAborted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		signal.Stop(pipes)
		close(done)
		<-ended
		cancel(nil)
	}
}
