package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
)

func verifyCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use:   "verify RUN...",
		Short: "Judge a run folder again, from its history alone",
		Long: "Verify reads the scenario and the history in a run folder and judges them again. It changes nothing. It works on\n" +
			"the folder of a run that was killed, too. \n\n" + exitCodesHelp,
		Example: "  havoq verify havoq-runs/primary-broker-failure-20261121-180000",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, dirs []string) error {
			worst := exitPass
			for _, dir := range dirs {
				res, err := verify(dir)
				if err != nil {
					return err
				}
				printVerdict(std.out, res, dir)
				if code := exitCodeOf(res); severity(code) > severity(worst) {
					worst = code
				}
			}
			if worst != exitPass {
				return &exitError{code: worst}
			}
			return nil
		},
	}
}

func verify(dir string) (*result.Result, error) {
	if _, err := os.Stat(filepath.Join(dir, result.HistoryFile)); err != nil {
		return nil, badInput(fmt.Errorf("%s is not a run folder: %w", dir, err))
	}
	res, err := gameday.Verify(dir)
	if err != nil {
		return nil, badInput(fmt.Errorf("verify %s: %w", dir, err))
	}
	return res, nil
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
				res, err := verify(dir)
				if err != nil {
					return err
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
