package history

import (
	"strings"

	"github.com/havoqlab/havoq/queue"
)

// sealedTogether is how many messages share the memory of their envelopes: as long as one of them is kept, that of all is.
const sealedTogether = 64

// seal gives the copies their envelopes, but for those that carry the right one already. The application's headers are not changed.
func (b batch) seal() {
	for first := 0; first < len(b.sealed); first += sealedTogether {
		last := min(first+sealedTogether, len(b.sealed))
		sealGroup(b.sealed[first:last], b.sent[first:last], b.room)
	}
}

// sealGroup gives each message its envelope, with one allocation for all headers, if there is no room for them yet, and one for
// all texts.
func sealGroup(messages []queue.Message, sent []sent, headers []queue.Header) {
	count, lines := 0, 0
	for i := range messages {
		if !sent[i].carried {
			count++
			lines += len(messages[i].Headers) + 1
		}
	}
	if count == 0 {
		return
	}
	if cap(headers) < lines {
		headers = make([]queue.Header, 0, lines)
	}
	var texts strings.Builder
	texts.Grow(count * queue.EnvelopeText)
	for i := range messages {
		m := &messages[i]
		if sent[i].carried {
			continue
		}
		envelope := sent[i].envelope()
		envelope.Sum = queue.Checksum(m)
		var text [queue.EnvelopeText]byte
		texts.Write(envelope.Append(text[:0]))
		first := len(headers)
		for _, h := range m.Headers {
			if h.Key != queue.EnvelopeHeader {
				headers = append(headers, h)
			}
		}
		headers = append(headers, queue.Header{Key: queue.EnvelopeHeader, Value: texts.String()[texts.Len()-queue.EnvelopeText:]})
		m.Headers = headers[first:len(headers):len(headers)] // whoever appends to them gets a copy
	}
}
