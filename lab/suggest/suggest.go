// Package suggest finds the word that was probably meant, for errors that say so.
package suggest

import "strings"

// maxSuggestion is the longest word for which a suggestion is looked for.
const maxSuggestion = 64

// DidYouMean returns `, did you mean "x"?` for the candidate nearest to word, or "" if none is near: at most a third of the
// letters, and always one, may differ.
func DidYouMean(word string, candidates []string) string {
	if near := Nearest(word, candidates); near != "" {
		return `, did you mean "` + near + `"?`
	}
	return ""
}

// Nearest returns the candidate nearest to word, or "" if none is near.
func Nearest(word string, candidates []string) string {
	if word == "" || len(word) > maxSuggestion {
		return ""
	}
	lower := strings.ToLower(word)
	best, bestCost := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if cost := distance(lower, c); cost < bestCost && cost < len(c) {
			best, bestCost = c, cost
		}
	}
	return best
}

// distance is the optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
