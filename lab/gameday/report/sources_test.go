package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/report"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

func TestSourcesAreNamedWithWhatTheyCannotSee(t *testing.T) {
	r := killRun()
	r.Sources = []result.Source{
		{Name: "topic orders", CannotSee: []string{oracle.FailedButDelivered}, Messages: 12_345, Doubts: []string{"3 messages have no ID"}},
		{Name: "table <b>", Group: "table <b>", CannotSee: []string{}, Messages: 12_340, Missing: 5, Repeated: 2, Unknown: 1},
	}
	for name, c := range map[string]struct {
		write func(*bytes.Buffer) error
		want  []string
	}{
		"html": {func(b *bytes.Buffer) error { return report.HTML(b, r) },
			[]string{"<h2>Sources</h2>", "topic orders", "failed but delivered", "12,345", "table &lt;b&gt;", "12,340", "what was sent", "3 messages have no ID."}},
		"markdown": {func(b *bytes.Buffer) error { return report.Markdown(b, r) },
			[]string{"### Sources", "| topic orders | what was sent | 12,345 | – | – | – | failed but delivered |",
				"| table &lt;b&gt; | what was processed | 12,340 | 5 | 2 | 1 | – |", "- 3 messages have no ID."}},
	} {
		var b bytes.Buffer
		if err := c.write(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
		r := *r
		r.Sources = nil
		if b.Reset(); report.HTML(&b, &r) != nil || strings.Contains(b.String(), "<h2>Sources</h2>") {
			t.Error("a run with havoq's own load names sources")
		}
	}
}
