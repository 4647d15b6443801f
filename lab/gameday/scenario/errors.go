package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxErrors bounds a report: beyond it, one line says how many more there are.
const maxErrors = 20

// Error is one mistake in a scenario. Msg names the thing and the remedy.
type Error struct {
	File         string // the file, or the --set that brought the value
	Line, Column int    // from 1, in characters; 0: the whole file
	Msg          string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// Errors are all mistakes that were found in a scenario, in the order of the file.
type Errors []*Error

func (es Errors) Error() string {
	var text strings.Builder
	for i, e := range es {
		if i == maxErrors {
			fmt.Fprintf(&text, "\n%s: … and %d more", e.File, len(es)-maxErrors)
			break
		}
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(e.Error())
	}
	return text.String()
}

// Unwrap gives the single mistakes to errors.As.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// ordered sorts by place, the file's own before those of --set, and drops what is said twice.
func (es Errors) ordered(file string) Errors {
	slices.SortStableFunc(es, func(a, b *Error) int {
		if (a.File == file) != (b.File == file) {
			if a.File == file {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(es, func(a, b *Error) bool { return *a == *b })
}
