package memory

import (
	"bytes"
	"slices"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// A batch is lent to the queue only until done is called. copier copies it: small bodies into one piece of memory for the
// batch, larger ones each into its own, so that one message that stays long does not keep a whole batch of large ones.
const smallBody = 2 << 10

type copier struct {
	bodies  []byte
	headers []queue.Header
}

func newCopier(batch []queue.Message) *copier {
	var bytes, headers int
	for i := range batch {
		if n := len(batch[i].Body); n <= smallBody {
			bytes += n
		}
		headers += len(batch[i].Headers)
	}
	return &copier{bodies: make([]byte, 0, bytes), headers: make([]queue.Header, 0, headers)}
}

func (c *copier) message(m *queue.Message, now time.Time) queue.Message {
	out := *m
	if out.Timestamp.IsZero() {
		out.Timestamp = now
	}
	if n := len(m.Body); n > smallBody {
		out.Body = bytes.Clone(m.Body)
	} else if n > 0 {
		start := len(c.bodies)
		c.bodies = append(c.bodies, m.Body...)
		out.Body = slices.Clip(c.bodies[start:])
	}
	if len(m.Headers) > 0 {
		start := len(c.headers)
		c.headers = append(c.headers, m.Headers...)
		out.Headers = slices.Clip(c.headers[start:])
	}
	return out
}
