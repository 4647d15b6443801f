//go:build !unix

package oracle_test

import "time"

// cpuTime is the time of day: there is no better here.
func cpuTime() time.Duration { return time.Duration(time.Now().UnixNano()) }
