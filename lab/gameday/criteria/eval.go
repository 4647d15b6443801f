package criteria

import (
	"fmt"
	"math"

	"github.com/havoqlab/havoq/oracle"
)

// Eval judges the criterion against the source. value is what was found, for people; reason says why the verdict is not pass.
// No data is unknown, never pass.
func (c Criterion) Eval(from Source) (verdict oracle.Verdict, value, reason string) {
	found, ok := number(from, c.Query)
	if !ok {
		return oracle.Unknown, "not known", "no data for " + c.Query.String()
	}
	unit := c.unit()
	value = unit.Format(found)
	bound, ok := c.bound(from)
	if !ok {
		return oracle.Unknown, value, "no data for " + c.Query.String() + " in the baseline to compare with"
	}
	if compare(found, c.Op, bound) {
		return oracle.Pass, value, ""
	}
	return oracle.Fail, value, fmt.Sprintf("%s is %s, not %s %s", c.Query, value, c.Op, unit.Format(bound))
}

// String is the criterion as it was written.
func (c Criterion) String() string { return c.Text }

func (c Criterion) bound(from Source) (float64, bool) {
	if !c.Relative {
		return c.Bound, true
	}
	baseline := c.Query
	baseline.Phase = "baseline"
	value, ok := number(from, baseline)
	return value * c.Bound, ok
}

func (c Criterion) unit() Unit {
	if m, ok := Find(c.Query.Metric); ok {
		return m.Unit
	}
	m, _ := find(FactMetrics(), c.Query.Metric)
	return m.Unit
}

// number asks the source; not a number is no data.
func number(from Source, q Query) (float64, bool) {
	if from == nil {
		return 0, false
	}
	value, ok := from.Value(q)
	return value, ok && !math.IsNaN(value)
}

func compare(a float64, op string, b float64) bool {
	switch op {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "==":
		return a == b
	case "!=":
		return a != b
	}
	return false
}
