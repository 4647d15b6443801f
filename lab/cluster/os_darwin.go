package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// childAttributes put a child into a process group of its own.
func childAttributes(string) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func ownExecutable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// ps asks for one column of one process.
func ps(pid int, column string) (string, error) {
	out, err := exec.Command("ps", "-o", column+"=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", fmt.Errorf("ps of process %d: %w", pid, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// startTime has no spaces, and is in seconds.
func startTime(pid int) (string, error) {
	at, err := ps(pid, "lstart")
	return strings.Join(strings.Fields(at), "_"), err
}

// stopped is nil if the process is stopped, with what was seen.
func stopped(pid int) (string, error) {
	state, err := ps(pid, "stat")
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(state, "T") {
		return "", fmt.Errorf("ps says %s, not T", state)
	}
	return "ps says " + state, nil
}

// resident is the memory in RAM.
func resident(pid int) (int64, error) {
	text, err := ps(pid, "rss")
	if err != nil {
		return 0, err
	}
	kb, err := strconv.ParseInt(text, 10, 64)
	return kb << 10, err
}

// outgoingPorts is the range from which the kernel takes ports for outgoing connections.
func outgoingPorts() (low, high int) { return 49152, 65535 }
