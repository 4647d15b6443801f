package oracle_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/oracle"
)

// The bounds as computed to 45 digits from the binomial sums.
func TestBoundsAreExact(t *testing.T) {
	const million, billion, trillion = 1_000_000, 1_000_000_000, 1_000_000_000_000
	for _, c := range []struct {
		k, n                     int64
		confidence, lower, upper float64
	}{
		{0, 1, .975, 0, .975},
		{1, 1, .975, .025, 1},
		{1, 2, .975, 0.012579117093425049, 0.98742088290657495},
		{0, 20, .975, 0, 0.16843347098308537},
		{1, 20, .975, 0.0012650894979498037, 0.24873276277202778},
		{2, 20, .95, 0.018065203085418623, 0.28261852488586091},
		{10, 20, .99, 0.23895963651650639, 0.76104036348349361},
		{19, 20, .975, 0.75126723722797222, 0.9987349105020502},
		{3, 300, .975, 0.0020670072350923168, 0.028944511255692609},
		{50, 100, .5, 0.49501669938455249, 0.50498330061544751},
		{1, million, .975, 2.5317807663794178e-8, 5.5716306551722443e-6},
		{3, million, .975, 6.1867255019063986e-7, 8.7672477881452235e-6},
		{1, trillion, .975, 2.5317807984289555e-14, 5.5716433909261628e-12},
		{20, trillion, .999, 8.9582132676709912e-12, 3.8041881353506848e-11},
	} {
		lower, upper := oracle.LowerBound(c.k, c.n, c.confidence), oracle.UpperBound(c.k, c.n, c.confidence)
		if off(lower, c.lower) > 1e-13 || off(upper, c.upper) > 1e-13 {
			t.Errorf("%d of %d at %v: %.17g to %.17g, want %.17g to %.17g", c.k, c.n, c.confidence, lower, upper, c.lower, c.upper)
		}
	}
	for _, c := range []struct { // as the research has them, and as reports show them
		k, n  int64
		below float64
	}{{0, million, 3.69e-6}, {1, million, 5.575e-6}, {3, million, 8.77e-6}, {0, 300, .0123}, {0, billion, 3.69e-9}} {
		if p := oracle.UpperBound(c.k, c.n, .975); p >= c.below || p < c.below*0.99 {
			t.Errorf("%d of %d: < %v, want just below %v", c.k, c.n, p, c.below)
		}
	}
}

func off(got, want float64) float64 {
	if got == want {
		return 0
	}
	return math.Abs(got-want) / math.Abs(want)
}

// What defines the bounds: at the upper one, k or fewer events are as probable as the confidence leaves; at the lower one, k or
// more.
func TestBoundsByDefinition(t *testing.T) {
	for _, confidence := range []float64{.5, .9, .975, .999} {
		for n := int64(1); n <= 40; n++ {
			for k := range n + 1 {
				if p := oracle.UpperBound(k, n, confidence); k < n && off(atMost(k, n, p), 1-confidence) > 1e-10 {
					t.Errorf("%d of %d at %v: at the upper bound %v, %v", k, n, confidence, p, atMost(k, n, p))
				}
				if p := oracle.LowerBound(k, n, confidence); k > 0 && off(atMost(n-k, n, 1-p), 1-confidence) > 1e-10 {
					t.Errorf("%d of %d at %v: at the lower bound %v, %v", k, n, confidence, p, atMost(n-k, n, 1-p))
				}
			}
		}
	}
}

// atMost is the chance of at most k events in n trials, by counting.
func atMost(k, n int64, p float64) (sum float64) {
	for i := range k + 1 {
		ways := 1.0
		for j := range i {
			ways *= float64(n-j) / float64(j+1)
		}
		sum += ways * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
	}
	return sum
}

func TestBoundsAreSane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, 12).Draw(t, "size")
		n := rapid.Int64Range(1, int64(math.Pow10(int(size)))).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "k")
		if rapid.Bool().Draw(t, "few") {
			k = min(n, k%100)
		}
		confidence := rapid.Float64Range(.5, .999999).Draw(t, "confidence")
		share := float64(k) / float64(n)
		lower, upper := oracle.LowerBound(k, n, confidence), oracle.UpperBound(k, n, confidence)
		if !(lower >= 0 && lower <= share && upper >= share && upper <= 1) {
			t.Fatalf("%d of %d at %v: %v to %v", k, n, confidence, lower, upper)
		}
		if k < n && upper == 1 && share < .99 || k > 0 && lower == 0 {
			t.Fatalf("%d of %d at %v: no bound, %v to %v", k, n, confidence, lower, upper)
		}
		// More trials of the same kind tell more; another event tells of a higher chance; a higher confidence claims less.
		const slack = 1e-12
		if p := oracle.UpperBound(k, n+1, confidence); p > upper*(1+slack) {
			t.Errorf("another clean trial raises the bound of %d of %d from %v to %v", k, n, upper, p)
		}
		if p := oracle.UpperBound(min(k+1, n), n, confidence); p < upper*(1-slack) {
			t.Errorf("another event lowers the bound of %d of %d from %v to %v", k, n, upper, p)
		}
		if p := oracle.UpperBound(k, n, (1+confidence)/2); p < upper*(1-slack) {
			t.Errorf("a higher confidence lowers the bound of %d of %d from %v to %v", k, n, upper, p)
		}
		// What is no event is one of the other kind.
		if other := 1 - oracle.LowerBound(n-k, n, confidence); math.Abs(other-upper) > 1e-12 {
			t.Errorf("%d of %d: %v, and by the others %v", k, n, upper, other)
		}
	})
}

func TestBoundsWithoutMeaning(t *testing.T) {
	for _, c := range []struct {
		k, n       int64
		confidence float64
	}{{0, 0, .975}, {1, 0, .975}, {-1, 5, .975}, {6, 5, .975}, {0, -1, .975}, {1, 5, 0}, {1, 5, 1}, {1, 5, .4}, {1, 5, math.NaN()}} {
		if lower, upper := oracle.LowerBound(c.k, c.n, c.confidence), oracle.UpperBound(c.k, c.n, c.confidence); lower != 0 || upper != 1 {
			t.Errorf("%+v: %v to %v", c, lower, upper)
		}
	}
}

func TestTrialsNeeded(t *testing.T) {
	for _, c := range []struct {
		p    float64
		want [4]int64 // at 95, 97.5, 99 and 99.9 %
	}{
		{1e-1, [4]int64{29, 36, 44, 66}},
		{1e-2, [4]int64{299, 368, 459, 688}},
		{1e-3, [4]int64{2_995, 3_688, 4_603, 6_905}},
		{1e-4, [4]int64{29_956, 36_887, 46_050, 69_075}},
		{1e-6, [4]int64{2_995_731, 3_688_878, 4_605_168, 6_907_752}},
	} {
		for i, confidence := range []float64{.95, .975, .99, .999} {
			n := oracle.TrialsNeeded(c.p, confidence)
			if n != c.want[i] {
				t.Errorf("%v at %v: %d trials, want %d", c.p, confidence, n, c.want[i])
			}
			if oracle.UpperBound(0, n, confidence) >= c.p || oracle.UpperBound(0, n-1, confidence) < c.p {
				t.Errorf("%v at %v: %d trials are not the least", c.p, confidence, n)
			}
		}
	}
	for _, p := range []float64{0, -1, math.NaN(), 1e-300} {
		if n := oracle.TrialsNeeded(p, .975); n != math.MaxInt64 {
			t.Errorf("%v: %d trials", p, n)
		}
	}
	if a, b := oracle.TrialsNeeded(1, .975), oracle.TrialsNeeded(.5, 1); a != 1 || b != math.MaxInt64 {
		t.Errorf("%d and %d trials", a, b)
	}
}

func BenchmarkUpperBound(b *testing.B) {
	for _, c := range []struct {
		name string
		k, n int64
	}{{"0-of-1e6", 0, 1e6}, {"3-of-1e6", 3, 1e6}, {"5e5-of-1e6", 5e5, 1e6}, {"1e6-of-1e12", 1e6, 1e12}, {"5e11-of-1e12", 5e11, 1e12}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				oracle.UpperBound(c.k, c.n, .975)
			}
		})
	}
}
