//go:build !linux && !darwin

package cluster

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

var errUnsupported = errors.New("not supported on this system")

// supported says why there are no clusters here. Nothing below is reached then.
func supported() error {
	return fmt.Errorf("nodes as processes are %w (%s): they need SIGSTOP, process groups and inherited pipes; run on Linux or macOS, "+
		"or in WSL, or use a broker that runs elsewhere by its URL", errUnsupported, runtime.GOOS)
}

func childAttributes(string) *syscall.SysProcAttr { return nil }
func ownExecutable() string                       { return os.Args[0] }
func (p *process) terminate() error               { return errUnsupported }
func (p *process) pause() error                   { return errUnsupported }
func (p *process) resume() error                  { return errUnsupported }
func refused(error) bool                          { return false }
func lockFile(*os.File) error                     { return errUnsupported }
func freeSpace(string) (int64, error)             { return 0, errUnsupported }
func startTime(int) (string, error)               { return "", errUnsupported }
func stopped(int) (string, error)                 { return "", errUnsupported }
func resident(int) (int64, error)                 { return 0, errUnsupported }
func outgoingPorts() (low, high int)              { return 32768, 65535 }
