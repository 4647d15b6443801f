package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/havoqlab/havoq/lab/gameday/result"
)

// version is what this build calls itself.
const version = "0.1.0"

func versionCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of havoq and of what is in it",
		Example: "  havoq version",
		Args:    cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			fmt.Fprintf(std.out, "havoq %s (nats-server %s, %s %s/%s)\n",
				version, moduleVersion("github.com/nats-io/nats-server/v2"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}

// moduleVersion is the version of a linked module, or "unknown".
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == path {
			return strings.TrimPrefix(d.Version, "v")
		}
	}
	return "unknown"
}

func environment(set map[string]string) result.Environment {
	return result.Environment{
		Havoq: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(),
		Target: "nats-server " + moduleVersion("github.com/nats-io/nats-server/v2"), Set: set,
	}
}

// confirmer asks on the terminal. Without one, and without --yes, there is nobody to ask.
func confirmer(yes bool, std streams) func(context.Context, string) (bool, error) {
	if yes {
		return func(context.Context, string) (bool, error) { return true, nil }
	}
	f, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(_ context.Context, question string) (bool, error) {
		fmt.Fprintf(std.err, "Prerequisite: %s. Does it hold? [y/N] ", question)
		line, err := bufio.NewReader(f).ReadString('\n')
		if err != nil {
			return false, err
		}
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes", nil
	}
}
