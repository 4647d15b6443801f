package probe

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"
)

// pipesAfter is how long the output of an ended program may stay open: a child of it may hold it.
const pipesAfter = 200 * time.Millisecond

// runCommand runs a program to its end, or to the end of ctx, and then kills it with everything that it started. Exit code 0
// is a good answer.
func runCommand(ctx context.Context, argv []string) answer {
	var out tail
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = pipesAfter
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return answer{detail: err.Error()}
	}
	err := cmd.Wait()
	killGroup(cmd) // what it left behind
	said := out.text()
	switch {
	case err == nil:
		return answer{true, firstOf(said, "exit code 0")}
	case errors.Is(err, exec.ErrWaitDelay):
		return answer{detail: "exit code 0, but it left a process behind that held its output"}
	case said == "":
		return answer{detail: err.Error()}
	default:
		return answer{detail: fmt.Sprintf("%v: %s", err, said)}
	}
}

// tail keeps the last bytes that are written to it. Stdout and stderr share one, so that os/exec writes from one goroutine.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - maxOutput; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// text is the last line that says something, for one line of a log.
func (t *tail) text() string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(t.kept), "?")), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	for len(line) > 200 {
		_, size := utf8.DecodeLastRuneInString(line)
		line = line[:len(line)-size]
	}
	return line
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
