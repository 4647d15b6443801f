package observe_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/internal/bubble"
)

// A group that the broker does not know, or cannot tell of, is told of while the run can still be mended.
func TestAGroupThatIsNotKnown(t *testing.T) {
	unknown := errors.New(`no consumer "billing"; it has bills`)
	for name, c := range map[string]struct {
		first, then func(x *trial)
		want        []string // parts, one for each warning
	}{
		"known":        {func(*trial) {}, func(*trial) {}, nil},
		"behind":       {func(x *trial) { x.left = 5 }, func(*trial) {}, nil},
		"wrong":        {func(x *trial) { x.asked = unknown }, func(*trial) {}, []string{`it has bills; this may still come`, "observe.group is wrong"}},
		"slow":         {func(x *trial) { x.asked = unknown }, func(x *trial) { x.asked = nil }, []string{"this may still come"}},
		"without acks": {func(x *trial) { x.left = -1 }, func(*trial) {}, []string{`cannot say how far "billing" is`}},
		"broker down":  {func(x *trial) { x.down, x.asked = errDown, unknown }, func(*trial) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, x *trial) {
				warnings := make(chan string, 10)
				began := time.Now()
				x.cfg.Warn = func(text string) { warnings <- time.Since(began).String() + " " + text }
				x.during(t, func() { x.set(func() { c.first(x) }) })
				x.set(func() { c.then(x) })
				bubble.Sleep(20 * time.Second)
				x.set(func() { x.down = nil })
				if err := x.observer.Close(t.Context()); err != nil {
					t.Error(err)
				}
				close(warnings)
				var got []string
				for w := range warnings {
					got = append(got, w)
				}
				if len(got) != len(c.want) {
					t.Fatalf("warned %q, want %q", got, c.want)
				}
				for i, part := range c.want {
					if when := []string{"1s ", "10s "}[i]; !strings.HasPrefix(got[i], when) || !strings.Contains(got[i], part) {
						t.Errorf("warned %q, want %q after %s", got[i], part, when)
					}
				}
			})
		})
	}
}
