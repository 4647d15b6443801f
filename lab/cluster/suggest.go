package cluster

import (
	"fmt"
	"strings"
)

// unknown is the error for a name that is not there, with the ones that are and the one that was probably meant.
func unknown(what, name string, known []string) error {
	hint := ""
	best := 3 // more than two typing errors are another word
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < best {
			best, hint = d, fmt.Sprintf("; did you mean %q?", k)
		}
	}
	return fmt.Errorf("unknown %s %q (known: %s)%s", what, name, strings.Join(known, ", "), hint)
}

// distance is the number of characters to add, drop or change to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
