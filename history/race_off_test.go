//go:build !race

package history_test

const poolsForget = false
