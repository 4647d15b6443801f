package oracle

import "math"

// maxBetaTerms bounds the continued fraction. It takes about the square root of the smaller parameter.
const maxBetaTerms = 1 << 22

// incompleteBeta is the regularised incomplete beta function I(x; a, b) for a, b >= 1 and y = 1-x, given apart because one of the
// two may be too small to be the difference of the other from 1; and its derivative in x. NaN: the terms did not suffice.
//
// It is the continued fraction of Didonato and Morris ("Algorithm 708: significant digits computation of the incomplete beta
// function ratios", ACM TOMS 18, 1992, section 4), evaluated by Lentz's method, where it converges fast (x below the mean), and
// by I(x; a, b) = 1 - I(y; b, a) elsewhere.
func incompleteBeta(a, b, x, y float64) (value, density float64) {
	if x <= 0 || y <= 0 {
		return min(max(x, 0), 1), 0
	}
	front := betaFront(a, b, x, y)
	density = front / (x * y)
	if a*y >= b*x {
		return min(front/betaFraction(a, b, x, y), 1), density
	}
	return max(1-front/betaFraction(b, a, y, x), 0), density
}

// betaFraction is the continued fraction b0 + a1/(b1 + a2/(b2 + …)).
func betaFraction(a, b, x, y float64) float64 {
	const tiny = 1e-300
	drift := a*y - b*x + 1
	f := a * drift / (a + 1)
	if f == 0 {
		f = tiny
	}
	c, d := f, 0.0
	for i := range maxBetaTerms {
		m := float64(i + 1)
		odd := a + 2*m - 1
		num := (a + m - 1) / odd * ((a + b + m - 1) / odd) * m * (b - m) * x * x
		den := m + m*(b-m)*x/odd + (a+m)*(drift+m*(1+y))/(odd+2)
		if d = den + num*d; d == 0 {
			d = tiny
		}
		if c = den + num/c; c == 0 {
			c = tiny
		}
		d = 1 / d
		f *= c * d
		if math.Abs(c*d-1) < 1e-15 {
			return f
		}
	}
	return math.NaN()
}

// betaFront is x^a y^b / B(a, b). Its logarithm is a small difference of large numbers, so that it is put together from the
// distances to the mean: C. Loader, "Fast and accurate computation of binomial probabilities", 2000.
func betaFront(a, b, x, y float64) float64 {
	n, off := a+b, a*y-b*x // off = a - n x
	scale := math.Sqrt(a / n * b / (2 * math.Pi))
	return scale * math.Exp(stirlingError(n)-stirlingError(a)-stirlingError(b)-deviance(n*x, off)-deviance(n*y, -off))
}

// deviance is v ln(v/mean) + mean - v of v = mean + off.
func deviance(mean, off float64) float64 {
	t := off / mean
	if math.Abs(t) > 0.1 {
		return (mean+off)*math.Log1p(t) - off
	}
	sum, power := 0.0, t*t
	for j := 2.0; j < 40; j++ {
		term := power / (j * (j - 1))
		sum += term
		if math.Abs(term) < 1e-17*math.Abs(sum) {
			break
		}
		power *= -t
	}
	return mean * sum
}

// stirlingError is by how much Stirling's approximation misses ln n!.
func stirlingError(n float64) float64 {
	if n < 16 {
		gamma, _ := math.Lgamma(n + 1)
		return gamma - (n+0.5)*math.Log(n) + n - 0.5*math.Log(2*math.Pi)
	}
	s := 1 / (n * n)
	return (1./12 - (1./360-(1./1260-(1./1680-1./1188*s)*s)*s)*s) / n
}
