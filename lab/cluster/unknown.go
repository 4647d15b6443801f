package cluster

import (
	"fmt"
	"strings"

	"github.com/havoqlab/havoq/lab/suggest"
)

// unknown is the error for a name that is not there, with the ones that are and the one that was probably meant.
func unknown(what, name string, known []string) error {
	return fmt.Errorf("unknown %s %q (known: %s)%s", what, name, strings.Join(known, ", "), suggest.DidYouMean(name, known))
}
