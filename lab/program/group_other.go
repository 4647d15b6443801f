//go:build !unix

package program

import (
	"errors"
	"os/exec"
)

// group needs process groups and signals, which this system does not have.
type group struct{}

func newGroup() (*group, error) {
	return nil, errors.New("this system has no process groups, without which a program could be left behind: start it yourself, " +
		"and write workload: external")
}

func (*group) join(*exec.Cmd) {}
func (*group) terminate()     {}
func (*group) kill()          {}
