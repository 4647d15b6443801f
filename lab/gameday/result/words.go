package result

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

func seconds(d scenario.Duration) string { return criteria.FormatSeconds(time.Duration(d).Seconds()) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// contractWords describes the promise: "at-least-once, in order by key, within 5s".
func contractWords(c scenario.Contract) string {
	parts := []string{c.Delivery}
	if c.Delivery == "" {
		parts[0] = "no delivery promise"
	}
	if c.Order != "" {
		parts = append(parts, "in order by "+c.Order)
	}
	if c.MaxDelay > 0 {
		parts = append(parts, "within "+seconds(c.MaxDelay))
	}
	if len(c.Forgive) > 0 {
		parts = append(parts, "forgiving what is "+strings.Join(c.Forgive, ", "))
	}
	return strings.Join(parts, ", ")
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	ending := "s"
	if strings.HasSuffix(thing, "sh") { // crash
		ending = "es"
	}
	return criteria.Count.Format(float64(n)) + " " + thing + ending
}
