package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// verifyFlags are the flags of `havoq verify`.
type verifyFlags struct {
	contract  string
	witnesses int
	settle    time.Duration
	json      bool
}

const (
	defaultWitnesses = 10
	maxWitnesses     = 10_000
	defaultSettle    = 2 * time.Second
)

func verifyCommand(std streams) *cobra.Command {
	f := verifyFlags{}
	c := &cobra.Command{
		Use:   "verify FILE|RUN...",
		Short: "Judge a run again, or a history alone",
		Long: "Verify judges again: a run folder by its scenario, a history (FILE, also as JSON lines; - takes them from standard input) " +
			"by at-least-once, and either of them by --contract. It changes nothing. It works on what is left of a run that was " +
			"killed, too.\n\n" +
			"--contract takes words, a YAML file, or YAML, with the keys of a scenario's contract block:\n" +
			"  delivery   at-most-once, at-least-once (the default) or exactly-once\n" +
			"  order      key, producer, …: among which messages the order is kept\n" +
			"  max-delay  from the intended send time to the first delivery, at most\n" +
			"  forgive    caused: what a recorded hit of a fault explains\n\n" +
			"With --json each line is one object; its kind is result or error.\n\n" + exitCodesHelp,
		Example: "  havoq verify havoq-runs/early-ack-20261121-180000\n" +
			"  havoq verify run --contract exactly-once,max-delay=2s\n" +
			"  havoq verify run/history.havoq --contract '{ order: key, max-delay: 2s }'\n" +
			"  havoq verify lines.jsonl --contract contract.yaml --witnesses 3\n" +
			"  havoq verify run history.havoq --json --settle-time 5s > verdicts.ndjson\n" +
			"  havoq history dump run | havoq verify -",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			how, err := f.read()
			if err != nil {
				return badInput(err)
			}
			ctx, stop := stoppable(c.Context())
			defer stop()
			return verifyAll(ctx, how, f, args, std)
		},
	}
	c.Flags().StringVar(&f.contract, "contract", "", "judge by this contract instead of the run's own")
	c.Flags().IntVar(&f.witnesses, "witnesses", defaultWitnesses, "how many messages to show of each anomaly, with their whole life")
	c.Flags().DurationVar(&f.settle, "settle-time", defaultSettle, "how long after a fault is gone an anomaly still counts as during it")
	c.Flags().BoolVar(&f.json, "json", false, "one JSON object a line instead of text")
	return c
}

// read checks the flags.
func (f verifyFlags) read() (how gameday.VerifyConfig, err error) {
	var wrong []error
	if f.witnesses < 0 || f.witnesses > maxWitnesses {
		wrong = append(wrong, fmt.Errorf("--witnesses %d: it must be 0 to %d", f.witnesses, maxWitnesses))
	}
	if f.settle < 0 || f.settle > 24*time.Hour {
		wrong = append(wrong, fmt.Errorf("--settle-time %s: it must be 0s to 24h", f.settle))
	}
	if f.contract != "" {
		c, err := scenario.ReadContract("--contract", f.contract)
		if err != nil {
			wrong = append(wrong, err)
		}
		how.Contract = &c
	}
	if f.witnesses != defaultWitnesses {
		how.Witnesses = f.witnesses
	}
	if f.witnesses == 0 {
		how.Witnesses = -1
	}
	if f.settle != defaultSettle {
		how.SettleTime = max(f.settle, 1) // 0 means the default there
	}
	return how, errors.Join(wrong...)
}

// verifyAll judges one after the other. What cannot be judged does not keep the others from being so.
func verifyAll(ctx context.Context, how gameday.VerifyConfig, f verifyFlags, args []string, std streams) error {
	worst := exitPass
	for i, arg := range args {
		if i > 0 && !f.json {
			fmt.Fprintln(std.out)
		}
		v, err := verify(ctx, how, arg, std.in)
		var code int
		if err == nil {
			v.tellAgain(f)
			code = exitCodeOf(v.Result)
		} else {
			code, err = codeOf(err), unreadable(err)
		}
		if f.json {
			v.printJSON(std.out, arg, err)
		} else if err == nil {
			v.print(std.out, len(args) > 1, f)
		}
		switch {
		case err == nil:
		case len(args) == 1 || ctx.Err() != nil:
			return err
		default:
			fmt.Fprintln(std.err, "havoq:", err)
		}
		if severity(code) > severity(worst) {
			worst = code
		}
	}
	if worst != exitPass {
		return &exitError{code: worst}
	}
	return nil
}

// verified is what was judged.
type verified struct {
	*gameday.Judgement
	arg    string
	dir    string // of the run; "": the history was judged alone
	folder string // of the run in which that history lies; "": in none
}

// verify judges what arg names.
func verify(ctx context.Context, how gameday.VerifyConfig, arg string, stdin io.Reader) (v verified, err error) {
	if info, err := os.Stat(arg); err == nil && info.IsDir() {
		if _, err := os.Stat(filepath.Join(arg, result.HistoryFile)); err != nil {
			return v, notARun(arg)
		}
		j, err := gameday.VerifyRun(ctx, arg, how)
		if err != nil {
			err = fmt.Errorf("verify %s: %w", arg, err)
		}
		return verified{Judgement: j, arg: arg, dir: arg}, err
	}
	e, err := openEvidence(ctx, arg, stdin)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	j, err := gameday.VerifyHistory(ctx, e.Reader, how)
	if err != nil {
		return v, fmt.Errorf("verify %s: %w", arg, err)
	}
	return verified{Judgement: j, arg: arg, folder: folderOf(e)}, nil
}

// folderOf is the run folder of a history that was named itself.
func folderOf(e *evidence) string {
	dir := filepath.Dir(e.path)
	info, err := result.ReadRunInfo(dir)
	if e.lines || err != nil || info.Name != e.Header().Name {
		return ""
	}
	return dir
}

// tellAgain makes the command that repeats a judgement the one of its result, where that is no run's.
func (v verified) tellAgain(f verifyFlags) {
	if v.dir != "" && !v.Other() {
		return
	}
	words := "havoq verify " + shellWord(v.arg)
	if f.contract != "" {
		words += " --contract " + shellWord(f.contract)
	}
	if f.witnesses != defaultWitnesses {
		words += fmt.Sprintf(" --witnesses %d", f.witnesses)
	}
	if f.settle != defaultSettle {
		words += " --settle-time " + f.settle.String()
	}
	v.Result.Again = words
}

// verifyJSON is a line of `havoq verify --json`.
type verifyJSON struct {
	Kind string `json:"kind"` // result, or error
	Of   string `json:"of"`   // as it was named
	// Contract is the one that was used. Recorded is the run's own; missing: not known, the history was judged alone.
	Contract string         `json:"contract,omitempty"`
	Recorded string         `json:"recorded_contract,omitempty"`
	Differs  bool           `json:"contract_differs,omitempty"`
	Alone    bool           `json:"history_alone,omitempty"`
	Warning  string         `json:"warning,omitempty"` // what was cut from the end of the history
	Error    string         `json:"error,omitempty"`
	Result   *result.Result `json:"result,omitempty"` // as in result.json
}

func (v verified) printJSON(w io.Writer, arg string, err error) {
	line := verifyJSON{Kind: "error", Of: arg}
	if err != nil {
		line.Error = err.Error()
	} else {
		line = verifyJSON{
			Kind: "result", Of: arg, Contract: v.Result.Contract, Recorded: v.Recorded, Differs: v.Other(), Alone: v.dir == "",
			Warning: v.Warning, Result: v.Result,
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(line) // a reader that went away learns nothing from an error
}

func reportCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use:     "report RUN...",
		Short:   "Judge a run folder again and write its result and reports anew",
		Long:    "Report judges the history in a run folder again and writes result.json, report.html, report.md and junit.xml into it.",
		Example: "  havoq report havoq-runs/early-ack-20261121-180000",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, dirs []string) error {
			for _, dir := range dirs {
				if _, err := os.Stat(filepath.Join(dir, result.HistoryFile)); err != nil {
					return badInput(notARun(dir))
				}
				res, err := gameday.Verify(dir)
				if err != nil {
					return badInput(fmt.Errorf("verify %s: %w", dir, err))
				}
				if err := gameday.Write(dir, res); err != nil {
					return failed(err)
				}
				fmt.Fprintf(std.out, "%s: %s\n", res.Verdict, filepath.Join(dir, result.HTMLFile))
			}
			return nil
		},
	}
}
