package oracle

import "math"

// Confidence is that of every bound in a report: one-sided, so that a claim is wrong in at most one of forty.
const Confidence = 0.975

// UpperBound is the exact one-sided upper confidence bound (Clopper and Pearson, "The use of confidence or fiducial limits
// illustrated in the case of the binomial", Biometrika 26, 1934) on the chance of an event that was seen in k of n independent
// trials: the chance p at which k or fewer events would come up with probability 1 - confidence only. At that confidence the
// chance is below it.
//
// With p unknown, P(K <= k) = I(1-p; n-k, k+1), the regularised incomplete beta function, solved for p. For k = 0 this is
// 1-(1-c)^(1/n), which is about -ln(1-c)/n.
//
// What says nothing is bounded by 1: no trial, k outside 0..n, a confidence outside [0.5, 1).
func UpperBound(k, n int64, confidence float64) float64 {
	switch {
	case !meaningful(k, n, confidence) || k == n:
		return 1
	case k == 0:
		return -math.Expm1(math.Log1p(-confidence) / float64(n))
	}
	a, b, share := float64(n-k), float64(k)+1, float64(k)/float64(n)
	tail := func(p float64) (chance, density float64) { return incompleteBeta(a, b, 1-p, p) }
	p, ok := solve(tail, 1-confidence, bracket{low: share, high: 1, falling: true})
	if !ok {
		return 1
	}
	return p
}

// LowerBound is the exact one-sided lower confidence bound of the same kind: at that confidence the chance is above it. It is 0
// where UpperBound is 1 for want of meaning, and for k = 0.
func LowerBound(k, n int64, confidence float64) float64 {
	switch {
	case !meaningful(k, n, confidence) || k == 0:
		return 0
	case k == n:
		return math.Exp(math.Log1p(-confidence) / float64(n))
	}
	a, b := float64(k), float64(n-k)+1
	tail := func(p float64) (chance, density float64) { return incompleteBeta(a, b, p, 1-p) }
	p, ok := solve(tail, 1-confidence, bracket{high: float64(k) / float64(n)})
	if !ok {
		return 0
	}
	return p
}

func meaningful(k, n int64, confidence float64) bool {
	return n > 0 && k >= 0 && k <= n && confidence >= 0.5 && confidence < 1
}

// TrialsNeeded is how many trials, none of which shows the event, it takes to claim that its chance is below p: 368 for 1 % at
// 97.5 %. It must be fixed before the first trial: to go on until the bound looks good makes the claim wrong more often than the
// confidence says. It is 1 for p >= 1, and math.MaxInt64, which is never, for p <= 0 and whatever is no number.
func TrialsNeeded(p, confidence float64) int64 {
	if !(p > 0) || !(confidence >= 0.5 && confidence < 1) {
		return math.MaxInt64
	}
	if p >= 1 {
		return 1
	}
	exact := math.Log1p(-confidence) / math.Log1p(-p)
	if exact >= 1<<62 {
		return math.MaxInt64
	}
	n := max(1, int64(exact))
	for range 4 { // the quotient is right to one or two
		if UpperBound(0, n, confidence) < p {
			break
		}
		n++
	}
	return n
}

// bracket is where to look for a bound.
type bracket struct {
	low, high float64
	falling   bool // the tail falls with p
}

// maxSearch bounds the steps of the search for a bound: halving alone would need as many.
const maxSearch = 1100

// solve finds where the tail is as probable as alpha. It takes Newton's steps on the logarithm, on which a binomial tail is
// concave, and divides the bracket wherever a step leaves it. ok is false if the tail cannot be told, or the steps do not suffice.
func solve(tail func(p float64) (chance, density float64), alpha float64, in bracket) (p float64, ok bool) {
	p = in.middle()
	for range maxSearch {
		chance, slope := tail(p)
		if math.IsNaN(chance) {
			return 0, false
		}
		if in.falling {
			slope = -slope
		}
		if (chance < alpha) == in.falling {
			in.high = p
		} else {
			in.low = p
		}
		next := p - math.Log(chance/alpha)*chance/slope
		if !(next > in.low && next < in.high) {
			next = in.middle()
		}
		if math.Abs(next-p) <= 4e-16*p {
			return next, true
		}
		p = next
	}
	return 0, false
}

// middle is that in size rather than in distance where the ends are of different sizes.
func (in bracket) middle() float64 {
	switch {
	case in.low == 0:
		return in.high / 16
	case in.high > 4*in.low:
		return math.Sqrt(in.low) * math.Sqrt(in.high)
	default:
		return in.low + (in.high-in.low)/2
	}
}
