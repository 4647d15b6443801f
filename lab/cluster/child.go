package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/havoqlab/havoq/lab/broker"
)

// The marks in a child's environment.
const (
	childEnv = "HAVOQ_CLUSTER_CHILD" // "node" or "keeper"
	confEnv  = "HAVOQ_CLUSTER_CONF"  // a node's configuration file
)

// Limits of the Go runtime in a node: three nodes must fit beside the load on a small machine.
const (
	nodeMemory = "128MiB" // soft: the collector works harder beyond it
	nodeGC     = "75"
	nodeProcs  = "4"
)

// Exit codes of a child.
const (
	exitOK       = 0
	exitFailed   = 1
	exitMisused  = 2
	exitOrphaned = 3 // the owner is gone
)

// Main becomes a node or the keeper of a cluster and never returns, if this process was started as one; else it does
// nothing. It must be the first statement of main, and of TestMain in a test binary that starts clusters.
func Main() {
	switch kind := os.Getenv(childEnv); kind {
	case "":
	case "node":
		os.Exit(runNode(os.Getenv(confEnv)))
	case "keeper":
		os.Exit(runKeeper())
	default:
		fmt.Fprintf(os.Stderr, "havoq: %s=%q is not known: it is set for the processes of a cluster only; unset it\n", childEnv, kind)
		os.Exit(exitMisused)
	}
}

// runNode serves until SIGTERM, the end of the owner, or a failure.
func runNode(conf string) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP) // those are meant for the owner
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	words := os.NewFile(3, "words")
	fmt.Fprintln(words, "hello")
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(exitOrphaned)
	}()
	text, err := os.ReadFile(conf)
	if err != nil {
		return fail(words, err)
	}
	s, err := broker.Start(ctx, broker.Config{Text: string(text), LogFile: strings.TrimSuffix(conf, ".conf") + ".log"})
	if err != nil {
		return fail(words, err)
	}
	fmt.Fprintln(words, "ready")
	select {
	case <-ctx.Done():
	case line := <-s.Failed():
		return fail(words, fmt.Errorf("the server failed: %s", line))
	}
	if err := s.Shutdown(context.Background()); err != nil {
		return fail(words, err)
	}
	return exitOK
}

// fail tells the owner why this process ends, and the log, too.
func fail(words io.Writer, err error) int {
	fmt.Fprintf(words, "error %q\n", err.Error())
	fmt.Fprintln(os.Stderr, "havoq:", err)
	return exitFailed
}
