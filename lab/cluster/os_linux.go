package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// childAttributes put a child into a process group of its own. A node also dies with the thread that started it; the keeper
// must not.
func childAttributes(kind string) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if kind == "node" {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return attr
}

// ownExecutable is the path of this executable, or the kernel's link to it if another file or none is there by now.
func ownExecutable() string {
	const self = "/proc/self/exe"
	path, err := os.Executable()
	if err != nil {
		return self
	}
	there, err := os.Stat(path)
	if err != nil {
		return self
	}
	if mine, err := os.Stat(self); err != nil || !os.SameFile(there, mine) {
		return self
	}
	return path
}

// stat returns the fields of a /proc/…/stat file from the state (the third) on; the second, the name, may hold anything.
func stat(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return nil, fmt.Errorf("%s: %d fields", path, len(fields))
	}
	return fields, nil
}

// startTime is the kernel's, in clock ticks since it was started.
func startTime(pid int) (string, error) {
	fields, err := stat(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	return string(fields[19]), nil
}

// stopped is nil if every thread of the process is stopped, with what was seen.
func stopped(pid int) (string, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return "", errors.Join(fmt.Errorf("process %d is not there", pid), err)
	}
	for _, path := range threads {
		fields, err := stat(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // a thread that has just ended
		}
		if err != nil {
			return "", err
		}
		if state := string(fields[0]); state != "T" {
			return "", fmt.Errorf("%s says %s, not T", path, state)
		}
	}
	return fmt.Sprintf("/proc/%d/stat says T", pid), nil
}

// resident is the memory in RAM.
func resident(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kb int64
			if _, err := fmt.Sscanf(rest, "%d kB", &kb); err != nil {
				return 0, err
			}
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("process %d has no memory any more", pid)
}

// outgoingPorts is the range from which the kernel takes ports for outgoing connections.
func outgoingPorts() (low, high int) {
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(data), &low, &high)
	}
	if err != nil {
		return 32768, 60999 // the kernel's default
	}
	return low, high
}
