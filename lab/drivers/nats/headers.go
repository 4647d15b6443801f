package nats

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
)

// How a message looks on the wire. User headers go under their own keys where NATS leaves them alone.
const (
	headerID    = natsgo.MsgIdHdr // the server deduplicates by it
	headerKey   = "Havoq-Key"
	headerTime  = "Havoq-Time"  // seconds.nanoseconds since 1970
	headerOrder = "Havoq-Order" // the keys of the user headers in their order, where there are several keys
	escapedKey  = "Havoq-X-"    // and the key as base64url: keys that NATS cannot carry, or would act on
	escaped64   = "=64:"        // and the value as base64url: values that NATS would trim or change
)

// encoder builds the headers of one message at a time, without allocating a map for each.
type encoder struct {
	header natsgo.Header
	values []string
	keys   []string
	buf    []byte
}

// encode returns m's headers. They are valid until the next call. The zero Timestamp becomes now.
func (e *encoder) encode(m *queue.Message, now func() time.Time) natsgo.Header {
	if e.header == nil {
		e.header = make(natsgo.Header, 8)
	}
	clear(e.header)
	e.values, e.keys = e.values[:0], e.keys[:0]
	if m.ID != "" {
		e.add(headerID, quote(m.ID))
	}
	if m.Key != "" {
		e.add(headerKey, quote(m.Key))
	}
	at := m.Timestamp
	if at.IsZero() {
		at = now()
	}
	e.add(headerTime, e.instant(at))
	several := false
	for i := range m.Headers {
		k := wireKey(m.Headers[i].Key)
		e.add(k, quote(m.Headers[i].Value))
		e.keys = append(e.keys, k)
		several = several || k != e.keys[0]
	}
	if several {
		e.add(headerOrder, strings.Join(e.keys, ","))
	}
	return e.header
}

func (e *encoder) add(key, value string) {
	if old, ok := e.header[key]; ok {
		e.header[key] = append(old, value)
		return
	}
	e.values = append(e.values, value)
	n := len(e.values)
	e.header[key] = e.values[n-1 : n : n]
}

func (e *encoder) instant(t time.Time) string {
	e.buf = strconv.AppendInt(e.buf[:0], t.Unix(), 10)
	e.buf = append(e.buf, '.')
	e.buf = strconv.AppendInt(e.buf, int64(t.Nanosecond()), 10)
	return string(e.buf)
}

func parseInstant(s string) (time.Time, bool) {
	sec, nano, ok := strings.Cut(s, ".")
	if !ok {
		return time.Time{}, false
	}
	a, err1 := strconv.ParseInt(sec, 10, 64)
	b, err2 := strconv.ParseInt(nano, 10, 64)
	return time.Unix(a, b), err1 == nil && err2 == nil
}

// decode fills m from the headers of a received message. at is the broker's time, used where the sender gave none.
func decode(h natsgo.Header, m *queue.Message, at time.Time) {
	m.Timestamp = at
	users := 0
	for k, vs := range h {
		if len(vs) == 0 {
			continue
		}
		switch k {
		case headerID:
			m.ID = unquote(vs[0])
		case headerKey:
			m.Key = unquote(vs[0])
		case headerTime:
			if t, ok := parseInstant(vs[0]); ok {
				m.Timestamp = t
			}
		case headerOrder:
		default:
			users += len(vs)
		}
	}
	if users > 0 {
		m.Headers = userHeaders(h, users)
	}
}

// userHeaders puts the user's headers into the order that the sender listed; those that the list does not name follow, sorted by
// key.
func userHeaders(h natsgo.Header, n int) []queue.Header {
	out := make([]queue.Header, 0, n)
	var taken map[string]int
	if order := h[headerOrder]; len(order) > 0 {
		taken = make(map[string]int, 4)
		for k := range strings.SplitSeq(order[0], ",") {
			if i := taken[k]; !reserved(k) && i < len(h[k]) {
				out = append(out, queue.Header{Key: userKey(k), Value: unquote(h[k][i])})
				taken[k]++
			}
		}
	}
	if len(out) == n {
		return out
	}
	rest := make([]string, 0, len(h))
	for k := range h {
		if !reserved(k) {
			rest = append(rest, k)
		}
	}
	slices.Sort(rest)
	for _, k := range rest {
		for _, v := range h[k][taken[k]:] {
			out = append(out, queue.Header{Key: userKey(k), Value: unquote(v)})
		}
	}
	return out
}

// reserved says whether a wire key is one of this driver's own.
func reserved(k string) bool {
	return k == headerID || k == headerKey || k == headerTime || k == headerOrder
}

// wireKey is the key under which a user header travels.
func wireKey(k string) string {
	if plainKey(k) {
		return k
	}
	return escapedKey + base64.RawURLEncoding.EncodeToString([]byte(k))
}

func userKey(k string) string {
	if coded, ok := strings.CutPrefix(k, escapedKey); ok {
		if raw, err := base64.RawURLEncoding.DecodeString(coded); err == nil {
			return string(raw)
		}
	}
	return k
}

// plainKey says whether NATS carries the key as it is, and neither server nor client gives it a meaning.
func plainKey(k string) bool {
	if k == "" || reserved(k) || strings.HasPrefix(k, escapedKey) || k == "Status" || k == "Description" ||
		len(k) >= 5 && strings.EqualFold(k[:5], "Nats-") {
		return false
	}
	for i := range len(k) {
		switch c := k[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false // the client refuses most other characters
		}
	}
	return true
}

func quote(v string) string {
	if plainValue(v) {
		return v
	}
	return escaped64 + base64.RawURLEncoding.EncodeToString([]byte(v))
}

func unquote(v string) string {
	if coded, ok := strings.CutPrefix(v, escaped64); ok {
		if raw, err := base64.RawURLEncoding.DecodeString(coded); err == nil {
			return string(raw)
		}
	}
	return v
}

// plainValue says whether NATS carries the value unchanged: the client trims white space and replaces line ends.
func plainValue(v string) bool {
	if v == "" {
		return true
	}
	if v[0] == ' ' || v[len(v)-1] == ' ' || strings.HasPrefix(v, escaped64) {
		return false
	}
	for i := range len(v) {
		if c := v[i]; c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
