//go:build race

package history_test

// poolsForget: under the race detector a sync.Pool drops some of what it gets, on purpose.
const poolsForget = true
