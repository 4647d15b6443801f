package queue

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// EnvelopeHeader is the key of havoq's one message header.
const EnvelopeHeader = "Havoq-Envelope"

// Identity names one message of one run: the Seq-th of a producer on a stream. Epoch changes when a producer restarts. Seq is
// dense from 0, so "what was attempted" is one number a track.
type Identity struct {
	Run      uint32
	Producer uint32
	Epoch    uint16
	Stream   uint16
	Seq      uint64
}

// Track is an identity without its sequence number: one producer's sequence on one stream.
type Track struct {
	Producer uint32
	Epoch    uint16
	Stream   uint16
}

// Track returns the track that the message belongs to.
func (id Identity) Track() Track { return Track{id.Producer, id.Epoch, id.Stream} }

// Envelope is what havoq adds to a message, in one header, so that the oracle can tell what happened to it. The payload is
// untouched.
type Envelope struct {
	Identity
	// Back is the distance to the previous message of the same key on this track, or 0 if there is none or it is not known.
	Back uint32
	// SentAt is when the message was meant to be sent, between the years 1678 and 2262. Zero: not known.
	SentAt time.Time
	// Sum is the checksum of key and body at the time of sending.
	Sum uint32
}

// The binary form, big endian: run 4, producer 4, epoch 2, stream 2, seq 8, back 4, sent 8 (Unix nanoseconds; 0: not known),
// sum 4, and a CRC-32C of those 36 bytes 4. In the header it is base64url without padding, 54 characters.
const (
	envelopeSize = 40
	// EnvelopeText is the length of the header value.
	EnvelopeText = 54
)

// envelopeCode is a constant: strict, so that no two texts are the same envelope.
var envelopeCode = base64.RawURLEncoding.Strict()

var (
	// ErrNoEnvelope is a message without havoq's header: it was sent by somebody else.
	ErrNoEnvelope = errors.New("no havoq envelope")
	// ErrCorruptEnvelope is a header that does not match its own check.
	ErrCorruptEnvelope = errors.New("corrupt havoq envelope")
	// ErrCorruptPayload is a key or body that does not match the checksum in a sound envelope.
	ErrCorruptPayload = errors.New("corrupt payload")
)

// Checksum is the CRC-32C (Castagnoli) of the key, its length and the body.
func Checksum(m *Message) uint32 {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(m.Key)))
	sum := checksumShort(checksumShort(0, n[:]), m.Key)
	return crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), m.Body)
}

// Text returns the header value.
func (e Envelope) Text() string {
	var text [EnvelopeText]byte
	return string(e.Append(text[:0]))
}

// Append appends the header value, EnvelopeText bytes, to b: for whoever writes many.
func (e Envelope) Append(b []byte) []byte {
	var raw [envelopeSize]byte
	binary.BigEndian.PutUint32(raw[0:], e.Run)
	binary.BigEndian.PutUint32(raw[4:], e.Producer)
	binary.BigEndian.PutUint16(raw[8:], e.Epoch)
	binary.BigEndian.PutUint16(raw[10:], e.Stream)
	binary.BigEndian.PutUint64(raw[12:], e.Seq)
	binary.BigEndian.PutUint32(raw[20:], e.Back)
	if !e.SentAt.IsZero() {
		binary.BigEndian.PutUint64(raw[24:], uint64(e.SentAt.UnixNano()))
	}
	binary.BigEndian.PutUint32(raw[32:], e.Sum)
	binary.BigEndian.PutUint32(raw[36:], checksumShort(0, raw[:36]))
	return envelopeCode.AppendEncode(b, raw[:])
}

// ParseEnvelope reads a header value. Any change to it is found: the error is ErrCorruptEnvelope.
func ParseEnvelope(text string) (Envelope, error) {
	var raw [envelopeSize]byte
	if len(text) != EnvelopeText {
		return Envelope{}, ErrCorruptEnvelope
	}
	// Decode passes over line ends: the count finds them.
	if n, err := envelopeCode.Decode(raw[:], []byte(text)); err != nil || n != envelopeSize {
		return Envelope{}, ErrCorruptEnvelope
	}
	if checksumShort(0, raw[:36]) != binary.BigEndian.Uint32(raw[36:]) {
		return Envelope{}, ErrCorruptEnvelope
	}
	e := Envelope{
		Identity: Identity{
			Run:      binary.BigEndian.Uint32(raw[0:]),
			Producer: binary.BigEndian.Uint32(raw[4:]),
			Epoch:    binary.BigEndian.Uint16(raw[8:]),
			Stream:   binary.BigEndian.Uint16(raw[10:]),
			Seq:      binary.BigEndian.Uint64(raw[12:]),
		},
		Back: binary.BigEndian.Uint32(raw[20:]),
		Sum:  binary.BigEndian.Uint32(raw[32:]),
	}
	if sent := int64(binary.BigEndian.Uint64(raw[24:])); sent != 0 {
		e.SentAt = time.Unix(0, sent)
	}
	return e, nil
}

// Seal returns a copy of m with e as its envelope, e.Sum computed from m. An envelope that m already has is replaced. The
// headers of m are not changed.
func Seal(m Message, e Envelope) Message {
	e.Sum = Checksum(&m)
	headers := make([]Header, 0, len(m.Headers)+1)
	for _, h := range m.Headers {
		if h.Key != EnvelopeHeader {
			headers = append(headers, h)
		}
	}
	headers = append(headers, Header{EnvelopeHeader, e.Text()})
	m.Headers = headers
	return m
}

// OpenEnvelope reads m's envelope and checks m against it. The error is nil, ErrNoEnvelope, ErrCorruptEnvelope or
// ErrCorruptPayload; with the last, the envelope is sound and is returned.
func OpenEnvelope(m *Message) (Envelope, error) {
	text, ok := m.Header(EnvelopeHeader)
	if !ok {
		return Envelope{}, ErrNoEnvelope
	}
	e, err := ParseEnvelope(text)
	if err != nil {
		return Envelope{}, err
	}
	if Checksum(m) != e.Sum {
		return e, ErrCorruptPayload
	}
	return e, nil
}
