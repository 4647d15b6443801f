package result

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

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
