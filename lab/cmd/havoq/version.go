package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/spf13/cobra"
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

// environment is where a run takes place, as far as it is known before.
func environment(s *scenario.Scenario) result.Environment {
	e := result.Environment{
		Havoq: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(),
	}
	if c := s.Target.Cluster; c != nil {
		e.Target = fmt.Sprintf("%d × nats-server %s, R%d, synced writes", c.Nodes, moduleVersion("github.com/nats-io/nats-server/v2"), c.Replicas)
	}
	return e
}
