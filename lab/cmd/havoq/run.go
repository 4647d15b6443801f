package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/scenarios"
)

const defaultScenario = "primary-broker-failure"

// runFlags are the flags of `havoq run`.
type runFlags struct {
	seed   uint64
	set    map[string]string
	repeat int
	out    string
	output string
	roles  map[string]string
	yes    bool
}

func runCommand(std streams) *cobra.Command {
	f := runFlags{}
	c := &cobra.Command{
		Use:   "run [SCENARIO|DIR|NAME]...",
		Short: "Run scenarios against a real cluster and judge what happened",
		Long: "Run starts the scenario's target, puts load on it, breaks it, takes everything back, and says of every message\n" +
			"what became of it. SCENARIO is a YAML file, DIR a folder of them, NAME one that havoq ships (see havoq scenario\n" +
			"list). Without an argument it is " + defaultScenario + ".\n\n" +
			"Ctrl-C once recovers what was injected and reports what is known; twice leaves at once. " + "\n\n" + exitCodesHelp,
		Example: "  havoq run\n" +
			"  havoq run early-ack --seed 7\n" +
			"  havoq run my-scenario.yaml --set workload.rate=500/s --out /tmp/runs\n" +
			"  havoq run " + defaultScenario + " --set timing=full --role executor=Ada --role observer=Grace --yes\n" +
			"  havoq run scenarios/ --repeat 3 --output json > runs.ndjson",
		RunE: func(c *cobra.Command, args []string) error { return runScenarios(c.Context(), f, args, std) },
	}
	c.Flags().Uint64Var(&f.seed, "seed", 0, "repeat the run with this seed (default: a new one, which the result names)")
	c.Flags().StringToStringVar(&f.set, "set", nil, "change a value of the scenario: key=value, with dots for depth")
	c.Flags().IntVar(&f.repeat, "repeat", 0, "run each scenario so many times (default: as the scenario says, or once)")
	c.Flags().StringVar(&f.out, "out", "havoq-runs", "folder for the run folders")
	c.Flags().StringVar(&f.output, "output", "auto", "auto, live (a terminal), plain (a story in lines) or json (one object a line)")
	c.Flags().StringToStringVar(&f.roles, "role", nil, "who plays a role of the scenario: role=name")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "confirm all prerequisites that a person must confirm")
	return c
}

// runScenarios reads all scenarios before it starts the first: a typo in the last one must not cost the time of the others.
func runScenarios(ctx context.Context, f runFlags, args []string, std streams) error {
	files, err := expand(args)
	if err != nil {
		return badInput(err)
	}
	if f.repeat < 0 {
		return badInput(fmt.Errorf("--repeat %d: it must be at least 1", f.repeat))
	}
	var all []*scenario.Scenario
	for _, file := range files {
		s, err := load(file, f.set)
		if err != nil {
			return badInput(err)
		}
		if err := knownRoles(s, f.roles); err != nil {
			return badInput(err)
		}
		all = append(all, s)
	}
	out, err := newOutput(f.output, std)
	if err != nil {
		return badInput(err)
	}
	ctx, stop := interruptible(ctx, std)
	defer stop()

	worst := exitPass
	var results []*result.Result
	for _, s := range all {
		for i := range max(1, f.repeat, s.Repeat*btoi(f.repeat == 0)) {
			res, err := runOne(ctx, s, f, i, out, std)
			if err != nil {
				return err
			}
			results = append(results, res)
			code := exitCodeOf(res)
			if severity(code) > severity(worst) {
				worst = code
			}
			if ctx.Err() != nil {
				return &exitError{code: exitAborted}
			}
		}
	}
	if len(results) > 1 {
		out.series(results)
	}
	if worst != exitPass {
		return &exitError{code: worst}
	}
	return nil
}

func runOne(ctx context.Context, s *scenario.Scenario, f runFlags, i int, out output, std streams) (*result.Result, error) {
	seed := f.seed
	if seed != 0 {
		seed += uint64(i) // a repetition is a new draw, and can be named
	}
	cfg := gameday.Config{
		Scenario: s, Out: f.out, Seed: seed, Roles: f.roles, Confirm: confirmer(f.yes, std), Open: openQueue,
		Progress: out.progress, Environment: environment(f.set), Again: again(s, f),
	}
	out.begin(s)
	res, dir, err := gameday.Run(ctx, cfg)
	if err == nil {
		out.end(res, dir)
		return res, nil
	}
	if res != nil && res.Counts.Offered > 0 { // else nothing was run that could be judged
		out.end(res, dir)
	}
	if dir != "" {
		err = fmt.Errorf("%w\n       (what is known is in %s)", err, dir)
	}
	return nil, failed(err)
}

// interruptible cancels the context at the first Ctrl-C and leaves at once at the second; the cluster's keeper then ends its
// processes.
func interruptible(parent context.Context, std streams) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			fmt.Fprintln(std.err, "\nhavoq: interrupted: recovering what was injected; once more to leave at once")
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
	return ctx, func() { signal.Stop(signals); close(done); cancel(nil) }
}

// expand makes a list of scenario files or shipped names from the arguments.
func expand(args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{defaultScenario}, nil
	}
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			files = append(files, arg)
			continue
		}
		found, err := filepath.Glob(filepath.Join(arg, "*.yaml"))
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("%s: no *.yaml in this folder", arg)
		}
		files = append(files, found...)
	}
	return files, nil
}

// load reads a scenario: a file of that name, or a shipped one.
func load(arg string, set map[string]string) (*scenario.Scenario, error) {
	opts := scenario.Options{Set: set}
	if source, err := os.ReadFile(arg); err == nil {
		return scenario.Parse(arg, source, opts)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	source, err := scenarios.Read(arg)
	if err != nil {
		return nil, fmt.Errorf("%s: no such file, and havoq ships no scenario of that name; it ships %s", arg, strings.Join(scenarios.Names(), ", "))
	}
	return scenario.Parse(arg+".yaml", source, opts)
}

func knownRoles(s *scenario.Scenario, roles map[string]string) error {
	for role := range roles {
		if _, ok := s.Roles[role]; !ok {
			var known []string
			for r := range s.Roles {
				known = append(known, r)
			}
			slices.Sort(known)
			return fmt.Errorf("--role %s: scenario %s has no such role; it has: %s", role, s.Name, strings.Join(known, ", "))
		}
	}
	return nil
}

// again is the command that repeats a run, but for its seed, which the run adds.
func again(s *scenario.Scenario, f runFlags) string {
	name := strings.TrimSuffix(s.File, ".yaml")
	if _, err := os.Stat(s.File); err == nil {
		name = s.File
	}
	words := []string{"havoq", "run", name}
	for _, key := range slices.Sorted(maps.Keys(f.set)) {
		words = append(words, "--set", key+"="+f.set[key])
	}
	return strings.Join(words, " ")
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
