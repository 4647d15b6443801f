package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/lab/scenarios"
)

func scenarioCommand(std streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "scenario",
		Short: "List, check and explain scenarios",
		Example: "  havoq scenario list\n" +
			"  havoq scenario validate my-scenario.yaml\n" +
			"  havoq scenario runbook primary-broker-failure > runbook.md\n" +
			"  havoq scenario schema > havoq.schema.json   # for your editor",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(scenarioList(std), scenarioValidate(std), scenarioSchema(std), scenarioRunbook(std), scenarioShow(std))
	return c
}

func scenarioList(std streams) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the scenarios that havoq ships", Args: cobra.NoArgs,
		Example: "  havoq scenario list",
		RunE: func(*cobra.Command, []string) error {
			for _, name := range scenarios.Names() {
				s, err := load(name, nil)
				if err != nil {
					return failed(err)
				}
				expect := ""
				if s.Expect != nil {
					expect = "  (expects " + s.Expect.String() + ")"
				}
				fmt.Fprintf(std.out, "%-24s %s%s\n", name, s.Title, expect)
			}
			return nil
		},
	}
}

func scenarioValidate(std streams) *cobra.Command {
	var set map[string]string
	c := &cobra.Command{
		Use: "validate FILE|DIR|NAME...", Short: "Check scenario files without running them", Args: cobra.MinimumNArgs(1),
		Long: "Validate reads each FILE, each *.yaml and *.yml in DIR and each shipped scenario NAME as a run would, starts nothing, and\n" +
			"tells everything that is wrong with any of them.",
		Example: "  havoq scenario validate my-scenario.yaml --set timing=full\n" +
			"  havoq scenario validate scenarios/",
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := expand(args)
			if err != nil {
				return badInput(err)
			}
			return validateAll(files, set, std)
		},
	}
	c.Flags().StringToStringVar(&set, "set", nil, "change a value before checking: key=value")
	return c
}

func validateAll(files []string, set map[string]string, std streams) error {
	var wrong []error
	for _, file := range files {
		s, err := load(file, set)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		fmt.Fprintf(std.out, "%s: ok: %d phases, %d criteria, %d guards\n", file, len(s.Phases), len(s.Criteria), len(s.Guards))
	}
	switch {
	case len(wrong) == 0:
		return nil
	case len(files) > 1:
		wrong = append(wrong, fmt.Errorf("%d of %d scenarios are not valid", len(wrong), len(files)))
	}
	return badInput(errors.Join(wrong...))
}

func scenarioSchema(std streams) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of scenario files", Args: cobra.NoArgs,
		Example: "  havoq scenario schema > havoq.schema.json",
		RunE: func(*cobra.Command, []string) error {
			schema, err := scenario.Schema()
			if err != nil {
				return failed(err)
			}
			fmt.Fprintln(std.out, string(schema))
			return nil
		},
	}
}

func scenarioRunbook(std streams) *cobra.Command {
	var set map[string]string
	c := &cobra.Command{
		Use: "runbook FILE|NAME", Short: "Print a scenario as a runbook for people, in Markdown", Args: cobra.ExactArgs(1),
		Example: "  havoq scenario runbook primary-broker-failure --set timing=full",
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := load(args[0], set)
			if err != nil {
				return badInput(err)
			}
			fmt.Fprint(std.out, scenario.Runbook(s))
			return nil
		},
	}
	c.Flags().StringToStringVar(&set, "set", nil, "change a value before: key=value, such as timing=full")
	return c
}

func scenarioShow(std streams) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print a shipped scenario, to copy and change", Args: cobra.ExactArgs(1),
		Example: "  havoq scenario show primary-broker-failure > mine.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			source, err := scenarios.Read(args[0])
			if err != nil {
				return badInput(err)
			}
			_, err = std.out.Write(source)
			return err
		},
	}
}
