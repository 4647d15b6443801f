package suggest_test

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/suggest"
)

func TestNearest(t *testing.T) {
	words := []string{"leader", "follower", "n1", "lost"}
	for word, want := range map[string]string{
		"leder": "leader", "LEADER": "leader", "laeder": "leader", "folower": "follower", "n2": "n1", "lots": "lost", "xyz": "", "": "",
		strings.Repeat("a", 1000): "",
	} {
		if got := suggest.Nearest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func FuzzNearest(f *testing.F) {
	f.Add("leder")
	f.Fuzz(func(t *testing.T, text string) {
		words := []string{"leader", "follower", "n1", ""}
		if got := suggest.Nearest(text, words); got != "" && !strings.Contains(strings.Join(words, " "), got) {
			t.Errorf("%q is none of the words", got)
		}
	})
}
