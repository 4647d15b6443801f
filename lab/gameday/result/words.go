package result

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

func seconds(d scenario.Duration) string { return criteria.FormatSeconds(time.Duration(d).Seconds()) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// workloadWords describes the load: "4 producers, 2 consumers, 2,000/s of 512B, 64 keys".
func workloadWords(w scenario.Workload) string {
	parts := []string{count(w.Producers, "producer"), count(w.Consumers, "consumer")}
	if w.Rate > 0 {
		rate := criteria.PerSecond.Format(float64(w.Rate))
		if w.Size > 0 {
			rate += " of " + criteria.Bytes.Format(float64(w.Size))
		}
		parts = append(parts, rate)
	}
	if w.Keys > 0 {
		parts = append(parts, count(w.Keys, "key"))
	}
	if w.Work > 0 {
		parts = append(parts, seconds(w.Work)+" of work a message")
	}
	if w.Ack == "early" {
		parts = append(parts, "acked before the work")
	}
	if w.Limit > 0 {
		parts = append(parts, fmt.Sprintf("a stream of at most %s messages", criteria.Count.Format(float64(w.Limit))))
	}
	return strings.Join(parts, ", ")
}

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
