package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/suggest"
)

func historyCommand(std streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "history",
		Short: "Look into a history, and take it to JSON lines and back",
		Long: "A history is what havoq recorded of a run: history.havoq in its folder. These commands only read it. FILE is a history\n" +
			"or its JSON lines (-: from standard input), RUN a run folder.\n\n" + exitCodesHelp,
		Example: "  havoq history show havoq-runs/early-ack-20261121-180000\n" +
			"  havoq history dump run/history.havoq --kind fault-begin,heal-seen\n" +
			"  havoq history dump run | grep -v note | havoq history load - quiet.havoq",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(historyDump(std), historyLoad(std), historyShow(std))
	return c
}

// dumpFlags are the flags of `havoq history dump`.
type dumpFlags struct {
	out           string
	kinds, groups []string
}

func historyDump(std streams) *cobra.Command {
	f := dumpFlags{}
	c := &cobra.Command{
		Use:   "dump FILE|RUN",
		Short: "Write a history as JSON lines",
		Long: "Dump writes the header of a history and then one event a line, in their order. Times are nanoseconds since the start of\n" +
			"the run. With --kind or --group it is a part of the history, says so in its header, and can prove nothing any more.\n\n" +
			"Kinds: " + strings.Join(kinds(), ", ") + ".",
		Example: "  havoq history dump run\n" +
			"  havoq history dump run --out run.jsonl\n" +
			"  havoq history dump run --kind deliver,settle --group workers",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := stoppable(c.Context())
			defer stop()
			return dump(ctx, f, args[0], std)
		},
	}
	c.Flags().StringVar(&f.out, "out", "", "write to this new file, whole or not at all (default: standard output)")
	c.Flags().StringSliceVar(&f.kinds, "kind", nil, "only events of these kinds")
	c.Flags().StringSliceVar(&f.groups, "group", nil, "only events of these consumer groups")
	return c
}

func dump(ctx context.Context, f dumpFlags, arg string, std streams) (err error) {
	if err := f.check(); err != nil {
		return badInput(err)
	}
	e, err := openEvidence(ctx, arg, std.in)
	if err != nil {
		return unreadable(err)
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if f.out == "" {
		err = f.dump(e, writable{ctx, std.out})
	} else {
		err = writeNew(f.out, func(path string) error {
			return writeFile(path, func(w io.Writer) error { return f.dump(e, writable{ctx, w}) })
		})
	}
	if err != nil {
		return unreadable(err)
	}
	if e.Warning() != "" {
		fmt.Fprintln(std.err, "havoq: warning:", e.Warning())
	}
	return nil
}

// dump writes the lines that are asked for.
func (f dumpFlags) dump(e *evidence, w io.Writer) error {
	if len(f.kinds)+len(f.groups) == 0 {
		return history.Dump(w, e.Reader)
	}
	n := 0
	err := history.DumpPart(w, e.Reader, f.part(), func(e *history.Event) bool {
		wanted := (len(f.kinds) == 0 || slices.Contains(f.kinds, e.Kind.String())) &&
			(len(f.groups) == 0 || slices.Contains(f.groups, e.Group))
		if wanted {
			n++
		}
		return wanted
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("%s has no event of %s: see what it has with havoq history show", e.arg, f.part())
	}
	return err
}

// part says in words what is dumped.
func (f dumpFlags) part() string {
	var parts []string
	if len(f.kinds) > 0 {
		parts = append(parts, "kind "+strings.Join(f.kinds, " or "))
	}
	if len(f.groups) > 0 {
		parts = append(parts, "group "+strings.Join(f.groups, " or "))
	}
	return strings.Join(parts, " and ")
}

func (f dumpFlags) check() error {
	for _, kind := range f.kinds {
		if all := kinds(); !slices.Contains(all, kind) {
			near := suggest.DidYouMean(kind, all)
			if near == "" {
				near = "; there are " + strings.Join(all, ", ")
			}
			return fmt.Errorf("--kind: unknown kind of event %q%s", kind, near)
		}
	}
	return nil
}

// kinds lists the words of all kinds of events.
func kinds() (words []string) {
	for k := history.Invoke; !strings.Contains(k.String(), "("); k++ {
		words = append(words, k.String())
	}
	return words
}

// codeOf is what reading exits with: bad input, unless the reason is havoq, the place for the output, or a person who ended it.
func codeOf(err error) int {
	for _, other := range []error{gameday.ErrJudge, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EIO} {
		if errors.Is(err, other) {
			return exitInternal
		}
	}
	if errors.Is(err, gameday.ErrInterrupted) {
		return exitAborted
	}
	return exitBadInput
}

func unreadable(err error) error { return &exitError{codeOf(err), err} }

// writeFile writes a file and waits until it is on the disk.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f, 1<<16)
	err = write(out)
	if err == nil {
		err = out.Flush()
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func historyLoad(std streams) *cobra.Command {
	return &cobra.Command{
		Use:   "load LINES FILE",
		Short: "Make a history of JSON lines",
		Long: "Load makes a new history file of what havoq history dump wrote (-: from standard input). It is strict: an unknown key or\n" +
			"word, a time that goes back and a line of another history are errors that name the line. Nothing is overwritten, and\n" +
			"after an error nothing is left.",
		Example: "  havoq history load run.jsonl again.havoq",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := stoppable(c.Context())
			defer stop()
			return loadLines(ctx, args[0], args[1], std)
		},
	}
}

func loadLines(ctx context.Context, lines, path string, std streams) error {
	var in io.Reader
	if lines == "-" {
		in, lines = patient(ctx, std.in), "standard input"
	} else {
		info, err := os.Stat(lines)
		switch {
		case err != nil:
			return badInput(fmt.Errorf("%w: write the lines with havoq history dump", err))
		case !info.Mode().IsRegular():
			return badInput(fmt.Errorf("%s is no regular file: give the lines to standard input, and name it -", lines))
		}
		f, err := os.Open(lines)
		if err != nil {
			return badInput(err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in = readable{ctx, f}
	}
	err := writeNew(path, func(path string) error {
		if err := history.Load(in, path); err != nil {
			return fmt.Errorf("%s: %w", lines, err)
		}
		return nil
	})
	if err != nil {
		return unreadable(err)
	}
	return nil
}
