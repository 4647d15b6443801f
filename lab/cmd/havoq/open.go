package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
)

// evidence is a history that was named on the command line.
type evidence struct {
	*history.Reader
	arg   string
	path  string // of the history itself
	lines bool   // it was given as JSON lines
	close func() error
}

// openEvidence opens what FILE|RUN can be: a history, JSON lines of one ("-": from standard input), or a run folder.
func openEvidence(ctx context.Context, arg string, stdin io.Reader) (*evidence, error) {
	if arg == "-" {
		return openLines("standard input", patient(ctx, stdin))
	}
	info, err := os.Stat(arg)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: name a run folder, a history, or a history as JSON lines", err)
	case info.IsDir():
		return openFolder(arg)
	case !info.Mode().IsRegular(): // opening a pipe would wait for ever
		return nil, fmt.Errorf("%s is no regular file and no folder: give JSON lines to standard input, and name it -", arg)
	}
	f, err := os.Open(arg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if isJSON(f) {
		return openLines(arg, readable{ctx, f})
	}
	return openFile(arg, arg)
}

func openFile(arg, path string) (*evidence, error) {
	r, err := history.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; name a run folder, a history, or a history as JSON lines", err)
	}
	return &evidence{Reader: r, arg: arg, path: path, close: r.Close}, nil
}

func openFolder(dir string) (*evidence, error) {
	path := filepath.Join(dir, result.HistoryFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, notARun(dir)
	}
	return openFile(dir, path)
}

func notARun(dir string) error {
	return fmt.Errorf("%s is not a run folder: it has no %s; name a folder that havoq run made, or a history", dir, result.HistoryFile)
}

// isJSON says whether a file begins as JSON lines do. Only a few of its bytes are read; it is at its beginning afterwards.
func isJSON(f io.ReadSeeker) bool {
	head := make([]byte, 512)
	n, _ := io.ReadFull(f, head) // what is wrong with it is told by whoever reads it next
	head = bytes.TrimPrefix(bytes.TrimSpace(head[:n]), []byte("\ufeff"))
	_, err := f.Seek(0, io.SeekStart)
	return err == nil && bytes.HasPrefix(head, []byte("{"))
}

// openLines makes a history of JSON lines, in a temporary folder: it is read several times, and that is faster.
func openLines(name string, in io.Reader) (*evidence, error) {
	dir, err := os.MkdirTemp("", "havoq-lines-")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w; choose another place with TMPDIR", name, err)
	}
	path := filepath.Join(dir, result.HistoryFile)
	err = history.Load(in, path)
	var r *history.Reader
	if err == nil {
		r, err = history.Open(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), os.RemoveAll(dir))
	}
	return &evidence{Reader: r, arg: name, path: path, lines: true, close: func() error {
		return errors.Join(r.Close(), os.RemoveAll(dir))
	}}, nil
}

// readable ends the reading of r with the context.
type readable struct {
	ctx context.Context
	r   io.Reader
}

func (r readable) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(b)
}

// patient ends the reading of r with the context also while r waits for a person or another program. What waits there ends with
// r, or with havoq: nobody can wake it.
func patient(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		_ = in.CloseWithError(err) // never fails
	}()
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(context.Cause(ctx)) })
	return out
}

// writable ends the writing to w with the context.
type writable struct {
	ctx context.Context
	w   io.Writer
}

func (w writable) Write(b []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.w.Write(b)
}

// stoppable cancels the context at the first Ctrl-C, so that what was begun is tidied up; the second one kills.
func stoppable(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signalled, stop := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	undo := context.AfterFunc(signalled, func() {
		stop()
		cancel(gameday.ErrInterrupted)
	})
	return ctx, func() {
		undo()
		stop()
		cancel(nil)
	}
}

// writeNew makes a file at path that is whole or not there at all, and never overwrites one. write makes it at another path.
func writeNew(path string, write func(path string) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists, and is not overwritten: choose another path or move it away", path)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w; choose a folder that is there and takes files", path, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	whole := filepath.Join(dir, filepath.Base(path))
	if err := write(whole); err != nil {
		return err
	}
	err = os.Link(whole, path) // unlike a rename, it fails if the file has come to be there meanwhile
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	return os.Rename(whole, path) // a file system without links
}
