package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/scenarios"
)

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
			"list). Without an argument it is " + scenarios.Default + ".\n\n" +
			"Ctrl-C once takes back what was injected and reports what is known; twice leaves at once.\n\n" +
			"With --output json each line is one object. Its kind is that of a report of the run (start, target, load, phase,\n" +
			"phase-end, act, node, leader, tick, aborted, draining, drained, judging, done, left-out), and the last of each run is\n" +
			"result, with the content of result.json, or error. After repeated runs there is one more, pooled.\n\n" +
			"With --repeat N the runs of a scenario are added up to a claim about the next time: \"0 of 20 kills lost anything:\n" +
			"< 16.8 % of kills at 97.5 %\" (it takes 36 clean ones for < 10 %, 368 for < 1 %). Fix N first: to go on until the\n" +
			"bound looks good makes it wrong, and a series that was cut short claims nothing.\n\n" + exitCodesHelp,
		Example: "  havoq run\n" +
			"  havoq run early-ack --seed 7\n" +
			"  havoq run my-scenario.yaml --set workload.rate=500/s --out runs\n" +
			"  havoq run " + scenarios.Default + " --set timing=full --role executor=Ada --yes\n" +
			"  havoq run scenarios/ --repeat 3 --output json > runs.ndjson",
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("repeat") && f.repeat < 1 {
				return badInput(wrongRepeat(f.repeat))
			}
			return runScenarios(c.Context(), f, args, std)
		},
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
	all, err := readAll(f, args)
	if err != nil {
		return badInput(err)
	}
	out, err := newOutput(f.output, std)
	if err != nil {
		return badInput(err)
	}
	ctx, stop := interruptible(ctx, out.notice)
	defer stop()
	s := &series{flags: f, out: out, person: findPerson(std), planned: map[string]int{}}
	err = s.runAll(ctx, all)
	if len(s.results) > 1 {
		out.series(s.results)
	}
	if pools := result.Pool(s.results, s.planned); len(pools) > 0 {
		out.pooled(pools)
	}
	if err == nil && s.worst != exitPass {
		err = &exitError{code: s.worst}
	}
	return err
}

func readAll(f runFlags, args []string) ([]chosen, error) {
	if f.repeat > maxRepeat {
		return nil, wrongRepeat(f.repeat)
	}
	files, err := expand(args)
	if err != nil {
		return nil, err
	}
	var all []chosen
	for _, file := range files {
		s, err := load(file, f.set)
		if err != nil {
			return nil, err
		}
		if err := knownRoles(s, f.roles); err != nil {
			return nil, err
		}
		all = append(all, chosen{s, file})
	}
	return all, nil
}

func wrongRepeat(n int) error { return fmt.Errorf("--repeat %d: it must be 1 to %d", n, maxRepeat) }

// chosen is a scenario with the word that it was called by.
type chosen struct {
	*scenario.Scenario
	arg string
}

// maxRepeat is that of scenarios.
const maxRepeat = 1000

// series is what one command runs.
type series struct {
	flags   runFlags
	out     output
	person  *person // nil: nobody is there
	results []*result.Result
	planned map[string]int // runs by scenario, fixed before the first
	worst   int            // exit code
}

func (s *series) runAll(ctx context.Context, all []chosen) error {
	for _, one := range all {
		s.planned[one.Name] += s.times(one)
	}
	for _, one := range all {
		for i := range s.times(one) {
			if ctx.Err() != nil { // between two runs
				return failed(fmt.Errorf("%w after %d runs: the others were not started", context.Cause(ctx), len(s.results)))
			}
			if err := s.run(ctx, one, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// times is how often a scenario is to be run.
func (s *series) times(one chosen) int { return max(1, cmp.Or(s.flags.repeat, one.Repeat)) }

// run does one run. Its error ends the series.
func (s *series) run(ctx context.Context, one chosen, i int) error {
	seed := cmp.Or(s.flags.seed, one.Seed)
	if seed != 0 {
		seed += uint64(i) // a repetition is a new draw, and can be named
	}
	confirm, asked := confirmer(s.flags.yes, s.person), s.person
	if s.flags.yes {
		asked = nil
	}
	s.out.begin(one.Scenario)
	roles, err := askRoles(ctx, asked, one.Scenario, s.flags.roles)
	if err != nil {
		s.out.end(nil, "", err)
		return failed(err)
	}
	res, dir, err := gameday.Run(ctx, gameday.Config{
		Scenario: one.Scenario, Out: s.flags.out, Seed: seed, Roles: roles, Confirm: confirm, Open: openQueue,
		Progress: s.out.progress, Environment: environment(one.Scenario), Again: again(one.arg, s.flags),
	})
	s.out.end(res, dir, err)
	if err != nil {
		if dir != "" {
			err = fmt.Errorf("%w\n       (what is known is in %s)", err, dir)
		}
		return failed(err)
	}
	s.results = append(s.results, res)
	if code := exitCodeOf(res); severity(code) > severity(s.worst) {
		s.worst = code
	}
	return nil
}

// expand makes a list of scenario files or shipped names from the arguments.
func expand(args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{scenarios.Default}, nil
	}
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			files = append(files, arg)
			continue
		}
		found, err := scenarioFiles(arg)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

// scenarioFiles lists the YAML files of a folder, by name.
func scenarioFiles(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); (ext == ".yaml" || ext == ".yml") && !e.IsDir() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no *.yaml and no *.yml in this folder", dir)
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
func again(arg string, f runFlags) string {
	words := []string{"havoq", "run", shellWord(arg)}
	for _, key := range slices.Sorted(maps.Keys(f.set)) {
		words = append(words, "--set", shellWord(key+"="+f.set[key]))
	}
	if f.yes {
		words = append(words, "--yes")
	}
	return strings.Join(words, " ")
}

// shellWord quotes what a shell would take apart.
func shellWord(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./=:,@%+", c)
	}
	if word != "" && strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
