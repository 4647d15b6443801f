// Package bubble lets tests pass time, and only the virtual time of a testing/synctest bubble.
package bubble

import "time"

// Sleep is time.Sleep for tests. Outside a bubble it panics: a test that waits in real time is slow, and fails on a busy machine.
// A bubble is known by its clock, which starts at midnight UTC on 2000-01-01 (package testing/synctest); no real one is that far back.
func Sleep(d time.Duration) {
	if now := time.Now(); now.Year() >= 2020 {
		panic("bubble: a test sleeps for " + d.String() + " of real time: wait for a condition, or run it in synctest.Test")
	}
	time.Sleep(d)
}
