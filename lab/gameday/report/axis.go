package report

import (
	"fmt"
	"math"
	"strconv"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// tick is a mark on an axis.
type tick struct {
	at    float64
	label string
}

// linearTicks are about n round values from 0 to at least top; the last one is the axis' end.
func linearTicks(top float64, n int) []tick {
	if top <= 0 || math.IsNaN(top) || math.IsInf(top, 0) {
		top = 1
	}
	step := niceStep(top / float64(n))
	var out []tick
	for i := 0; ; i++ {
		v := float64(i) * step
		out = append(out, tick{v, shortNumber(v)})
		if v >= top*0.999 || i > 2*n+2 {
			return out
		}
	}
}

// niceStep is the smallest of 1, 2, 5 × 10ⁿ that is not below v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= v*0.999 {
			return f * power
		}
	}
	return 10 * power
}

func shortNumber(v float64) string {
	if v >= 10_000 && v < 1e6 && math.Mod(v, 1000) == 0 {
		return strconv.FormatFloat(v/1000, 'f', -1, 64) + "k"
	}
	if v >= 1e6 {
		return strconv.FormatFloat(v/1e6, 'f', -1, 64) + "M"
	}
	return criteria.Count.Format(v)
}

// logTicks are the powers of ten that enclose low to high, in seconds.
func logTicks(low, high float64) []tick {
	from, to := int(math.Floor(math.Log10(low)+1e-9)), int(math.Ceil(math.Log10(high)-1e-9))
	if to <= from {
		to = from + 1
	}
	var out []tick
	for e := from; e <= to; e++ {
		v := math.Pow(10, float64(e))
		label := duration(v)
		if e > 0 {
			label = strconv.FormatFloat(v, 'f', 0, 64) + "s" // 100s, not 1m40s
		}
		out = append(out, tick{v, label})
	}
	return out
}

// timeTicks are round times up to end, at most n.
func timeTicks(end float64, n int) []tick {
	step := end
	for _, s := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400} {
		if end/s <= float64(n) {
			step = s
			break
		}
	}
	if step <= 0 {
		return []tick{{0, "0s"}}
	}
	var out []tick
	for i := 0; float64(i)*step <= end*1.0001 && i <= n+1; i++ {
		v := float64(i) * step
		out = append(out, tick{v, clock(v, step, end)})
	}
	return out
}

func clock(v, step, end float64) string {
	switch {
	case step < 1:
		return strconv.FormatFloat(v, 'f', 1, 64) + "s"
	case end <= 120:
		return strconv.FormatFloat(v, 'f', -1, 64) + "s"
	case end < 3600:
		return fmt.Sprintf("%d:%02d", int(v)/60, int(v)%60)
	default:
		return fmt.Sprintf("%d:%02d:%02d", int(v)/3600, int(v)/60%60, int(v)%60)
	}
}
