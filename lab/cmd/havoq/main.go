// Command havoq breaks message queues on purpose and proves, message by message, what happened.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/lab/cluster"
)

func main() {
	cluster.Main() // does not return where this process is a node or the keeper of a cluster
	os.Exit(command(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are the command's contacts with the terminal.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

func rootCommand(std streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "havoq",
		Short: "Break your message queue on purpose, before production does, and prove what happened",
		Long: "havoq breaks message queues on purpose, before production does, and proves message by message what happened.\n\n" +
			exitCodesHelp,
		Example: "  havoq run                  # kill the leader of a real cluster under load\n" +
			"  havoq run early-ack        # the commonest real bug, found\n" +
			"  havoq scenario list        # what else there is",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return badInput(fmt.Errorf("%w; see %s --help", err, c.CommandPath()))
	})
	root.AddCommand(runCommand(std), verifyCommand(std), reportCommand(std), historyCommand(std), benchCommand(std), scenarioCommand(std), versionCommand(std))
	narrow(root)
	return root
}

// command runs one command line and returns its exit code.
func command(ctx context.Context, args []string, std streams) int {
	root := rootCommand(std)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code *exitError
	switch {
	case err == nil:
		return exitPass
	case errors.As(err, &code):
		if text := err.Error(); text != "" { // else everything was said already
			fmt.Fprintln(std.err, "havoq:", text)
		}
		return code.code
	default: // cobra's own: unknown command, wrong number of arguments
		fmt.Fprintln(std.err, "havoq:", err)
		return exitBadInput
	}
}
