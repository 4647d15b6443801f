package result

import "math"

// confidence of the bounds in a report.
const confidence = 0.975

// zeroBound is the exact one-sided upper confidence bound (Clopper and Pearson) on the chance of an event that happened in none
// of n independent trials: at that confidence the chance is below it. With n = 0 it is 1: nothing is known.
func zeroBound(n int64) float64 {
	if n <= 0 {
		return 1
	}
	return -math.Expm1(math.Log1p(-confidence) / float64(n))
}
