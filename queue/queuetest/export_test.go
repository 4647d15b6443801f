package queuetest

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Failures runs the suite, or only the tests named, without failing t, and returns the first complaint of each test that
// failed.
func Failures(t *testing.T, h Harness, only ...string) map[string]string {
	t.Helper()
	h, caps := prepare(t, h)
	h.Wait = min(h.Wait, 10*time.Second)
	failed := make(map[string]string)
	for _, c := range checks() {
		if c.rulesOut(caps, h) != "" || len(only) > 0 && !slices.Contains(only, c.name) {
			continue
		}
		try := func(t *testing.T) {
			r := &recorder{TB: t}
			r.try(func() { c.try(r, h, caps) })
			if len(r.said) > 0 {
				failed[c.name] = r.said[0]
			}
		}
		if h.Bubble {
			t.Run(c.name, func(t *testing.T) { synctest.Test(t, try) })
		} else {
			t.Run(c.name, try)
		}
	}
	return failed
}

// recorder takes down complaints instead of failing the test.
type recorder struct {
	testing.TB
	said     []string
	cleanups []func()
}

// try runs f and then the cleanups, each in a goroutine that FailNow can end.
func (r *recorder) try(f func()) {
	for f != nil {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f()
		}()
		<-ended
		f = nil
		if n := len(r.cleanups); n > 0 {
			f = r.cleanups[n-1]
			r.cleanups = slices.Delete(r.cleanups, n-1, n)
		}
	}
}

func (r *recorder) Cleanup(f func())             { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any)            { r.said = append(r.said, fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, args ...any) { r.said = append(r.said, fmt.Sprintf(f, args...)) }
func (r *recorder) Fail()                        { r.Error("failed") }
func (r *recorder) FailNow()                     { r.Fail(); runtime.Goexit() }
func (r *recorder) Failed() bool                 { return len(r.said) > 0 }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any) { r.Errorf(f, args...); runtime.Goexit() }
func (r *recorder) Log(...any)                   {}
func (r *recorder) Logf(string, ...any)          {}
