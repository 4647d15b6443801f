//go:build unix

package program

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// group is a process group with a guard in it: a shell that waits for the end of a pipe whose other end havoq holds. When havoq
// dies, however it dies, the kernel closes that end, and the guard kills the group, itself included.
type group struct {
	guard *exec.Cmd
	life  *os.File // while it is open, havoq lives

	mu   sync.Mutex
	dead bool // its number may be another group's by now
}

// The guard ignores what is meant for the programs beside it. Its read ends only with the pipe.
const guardScript = `trap "" TERM INT HUP; read -r _; kill -9 0`

func newGroup() (*group, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	guard := exec.Command("/bin/sh", "-c", guardScript)
	guard.Stdin = theirs
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := guard.Start(); err != nil {
		_ = ours.Close() // nobody reads it
		return nil, fmt.Errorf("start its guard: %w", err)
	}
	return &group{guard: guard, life: ours}, nil
}

// join has the program start in the group.
func (g *group) join(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: g.guard.Process.Pid}
}

// terminate asks all of the group to end.
func (g *group) terminate() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.dead {
		_ = syscall.Kill(-g.guard.Process.Pid, syscall.SIGTERM) // the guard is there, so the group is
	}
}

// kill ends all of the group, once.
func (g *group) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dead {
		return
	}
	g.dead = true
	_ = syscall.Kill(-g.guard.Process.Pid, syscall.SIGKILL)
	_ = g.guard.Wait() // killed
	_ = g.life.Close()
}
