//go:build unix

package probe

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the program the head of its own process group, and has the end of its context kill the whole group: a shell
// that is killed alone leaves its children.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

func killGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // no such group: nothing was left behind
}
