package queue_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/queue"
)

func sample() queue.Envelope {
	return queue.Envelope{
		Identity: queue.Identity{Run: 0xfeedbeef, Producer: 7, Epoch: 2, Stream: 513, Seq: 1<<40 + 5},
		Back:     3, SentAt: time.Unix(1_700_000_000, 123_456_789), Sum: 0xdeadc0de,
	}
}

// The text is a format: histories and other languages' clients depend on it.
func TestEnvelopeText(t *testing.T) {
	const want = "_u2-7wAAAAcAAgIBAAABAAAAAAUAAAADF5ec_j2FzRXercDeUr-SnQ"
	if got := sample().Text(); got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := queue.Envelope{
			Identity: queue.Identity{
				Run: rapid.Uint32().Draw(t, "run"), Producer: rapid.Uint32().Draw(t, "producer"),
				Epoch: rapid.Uint16().Draw(t, "epoch"), Stream: rapid.Uint16().Draw(t, "stream"), Seq: rapid.Uint64().Draw(t, "seq"),
			},
			Back: rapid.Uint32().Draw(t, "back"), Sum: rapid.Uint32().Draw(t, "sum"),
		}
		if n := rapid.Int64().Draw(t, "sent"); n != 0 { // 0 is the time that is not known
			e.SentAt = time.Unix(0, n)
		}
		got, err := queue.ParseEnvelope(e.Text())
		if err != nil || !cmp.Equal(got, e) || got.SentAt.IsZero() != e.SentAt.IsZero() {
			t.Fatalf("read back %+v, %v; want %+v", got, err, e)
		}
		if got.Track() != (queue.Track{Producer: e.Producer, Epoch: e.Epoch, Stream: e.Stream}) {
			t.Fatalf("track %+v of %+v", got.Track(), e)
		}
	})
}

func corrupt(t *testing.T, what, text string) {
	t.Helper()
	if e, err := queue.ParseEnvelope(text); !errors.Is(err, queue.ErrCorruptEnvelope) || e != (queue.Envelope{}) {
		t.Errorf("%s: %q is read as %+v, %v", what, text, e, err)
	}
}

func TestEnvelopeBitFlips(t *testing.T) {
	raw, err := base64.RawURLEncoding.DecodeString(sample().Text())
	if err != nil || len(raw) != 40 {
		t.Fatal(len(raw), err)
	}
	for bit := range 8 * len(raw) {
		flipped := bytes.Clone(raw)
		flipped[bit/8] ^= 1 << (bit % 8)
		corrupt(t, "a flipped bit", base64.RawURLEncoding.EncodeToString(flipped))
	}
}

func TestEnvelopeTextChanges(t *testing.T) {
	text := sample().Text()
	for i := range len(text) {
		for b := range 256 {
			if changed := []byte(text); changed[i] != byte(b) {
				changed[i] = byte(b)
				corrupt(t, "a changed byte", string(changed))
			}
		}
		corrupt(t, "cut", text[:i])
		corrupt(t, "a missing byte", text[:i]+text[i+1:])
		corrupt(t, "a doubled byte", text[:i]+text[i:i+1]+text[i:])
	}
	corrupt(t, "padded", text+"=")
	corrupt(t, "twice", text+text)
}

// base64 decoders pass over line ends: an envelope whose last byte is 0 must not lose it to one.
func TestEnvelopeLineEnds(t *testing.T) {
	e := sample()
	for ; ; e.Seq++ {
		if text := e.Text(); text[52:] == "AA" {
			corrupt(t, "line ends for the last byte", text[:52]+"\r\n")
			return
		}
	}
}

// FuzzParseEnvelope: whatever is accepted is exactly what Text writes.
func FuzzParseEnvelope(f *testing.F) {
	f.Add(sample().Text())
	f.Add(queue.Envelope{}.Text())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := queue.ParseEnvelope(text)
		if err == nil && e.Text() != text {
			t.Errorf("%q is read as %+v, which is written as %q", text, e, e.Text())
		}
	})
}

func TestSeal(t *testing.T) {
	headers := make([]queue.Header, 2, 8) // room for an append to do harm
	headers[0], headers[1] = queue.Header{Key: "A", Value: "1"}, queue.Header{Key: queue.EnvelopeHeader, Value: "old"}
	m := queue.Message{ID: "m", Key: "k", Body: []byte("body"), Headers: headers}
	sealed := queue.Seal(m, sample())
	if want := []queue.Header{{Key: "A", Value: "1"}, {Key: queue.EnvelopeHeader, Value: "old"}, {}}; !slices.Equal(headers[:3], want) {
		t.Errorf("the caller's headers became %q", headers[:3])
	}
	e, err := queue.OpenEnvelope(&sealed)
	if err != nil || e.Identity != sample().Identity || e.Sum != queue.Checksum(&m) || len(sealed.Headers) != 2 {
		t.Errorf("opened %+v, %v, of headers %q", e, err, sealed.Headers)
	}
	if again := queue.Seal(sealed, sample()); !cmp.Equal(again, sealed) {
		t.Errorf("sealed twice: %s", cmp.Diff(sealed, again))
	}
}

func TestOpenEnvelope(t *testing.T) {
	sealed := queue.Seal(queue.Message{Key: "key", Body: []byte("a body")}, sample())
	none := queue.Message{Key: "key"}
	if _, err := queue.OpenEnvelope(&none); !errors.Is(err, queue.ErrNoEnvelope) {
		t.Errorf("no envelope: %v", err)
	}
	bad := sealed
	bad.Headers = []queue.Header{{Key: queue.EnvelopeHeader, Value: "nonsense"}}
	if _, err := queue.OpenEnvelope(&bad); !errors.Is(err, queue.ErrCorruptEnvelope) {
		t.Errorf("corrupt envelope: %v", err)
	}
	changed := map[string]func(m *queue.Message){
		"no body":           func(m *queue.Message) { m.Body = nil },
		"a longer body":     func(m *queue.Message) { m.Body = append(bytes.Clone(m.Body), 0) },
		"no key":            func(m *queue.Message) { m.Key = "" },
		"key moved to body": func(m *queue.Message) { m.Key, m.Body = "ke", append([]byte("y"), m.Body...) },
	}
	for bit := range 8 * len(sealed.Body) {
		changed["flipped bit of the body"] = func(m *queue.Message) { m.Body = flip(m.Body, bit) }
		wantCorrupt(t, sealed, changed)
	}
	for bit := range 8 * len(sealed.Key) {
		changed["flipped bit of the key"] = func(m *queue.Message) { m.Key = string(flip([]byte(m.Key), bit)) }
		wantCorrupt(t, sealed, changed)
	}
}

func flip(b []byte, bit int) []byte {
	b = bytes.Clone(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

// wantCorrupt: the payload is found corrupt, and the envelope is returned all the same.
func wantCorrupt(t *testing.T, sealed queue.Message, changes map[string]func(m *queue.Message)) {
	t.Helper()
	for what, change := range changes {
		m := sealed
		change(&m)
		if e, err := queue.OpenEnvelope(&m); !errors.Is(err, queue.ErrCorruptPayload) || e.Identity != sample().Identity {
			t.Errorf("%s: %+v, %v", what, e, err)
		}
	}
}

func BenchmarkEnvelopeText(b *testing.B) {
	e := sample()
	b.ReportAllocs()
	for b.Loop() {
		_ = e.Text()
	}
}

func BenchmarkParseEnvelope(b *testing.B) {
	text := sample().Text()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := queue.ParseEnvelope(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	m := queue.Message{Key: "customer-4711", Body: make([]byte, 512)}
	b.ReportAllocs()
	for b.Loop() {
		_ = queue.Seal(m, sample())
	}
}

func BenchmarkOpenEnvelope(b *testing.B) {
	m := queue.Seal(queue.Message{Key: "customer-4711", Body: make([]byte, 512)}, sample())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := queue.OpenEnvelope(&m); err != nil {
			b.Fatal(err)
		}
	}
}
