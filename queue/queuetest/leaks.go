package queuetest

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// goroutines returns the stacks of all goroutines of the process, by their id.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) || len(buf) >= 64<<20 {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := make(map[string]string)
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if id, _, ok := strings.Cut(stack, " ["); ok {
			all[id] = stack
		}
	}
	return all
}

// checkLeaks waits until no goroutine is left that was not there before.
func checkLeaks(t testing.TB, h Harness, before map[string]string) {
	t.Helper()
	limit := time.NewTimer(min(h.Wait, 5*time.Second))
	defer limit.Stop()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		left := leaked(h, before)
		if len(left) == 0 {
			return
		}
		select {
		case <-poll.C:
		case <-limit.C:
			t.Errorf("%d goroutines are left after Close; the first is\n%s\n"+
				"(a broker inside this process is named in Harness.BrokerGoroutines)", len(left), left[0])
			return
		}
	}
}

func leaked(h Harness, before map[string]string) (left []string) {
	passed := append([]string{"queuetest.goroutines(", "created by testing.", "created by os/signal", "testing/synctest.Test"},
		h.BrokerGoroutines...)
next:
	for id, stack := range goroutines() {
		if _, was := before[id]; was {
			continue
		}
		for _, part := range passed {
			if strings.Contains(stack, part) {
				continue next
			}
		}
		left = append(left, stack)
	}
	return left
}
