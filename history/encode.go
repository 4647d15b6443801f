package history

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"unicode/utf8"

	"github.com/havoqlab/havoq/queue"
)

// encoder turns events into blocks. What it remembers of earlier events, the decoder remembers too.
type encoder struct {
	seed   uint32 // the header's check
	base   int64  // file offset of buf[0]
	buf    []byte // whole blocks, then an open one
	open   int    // where in buf the open block begins; -1: none is open
	at     int64
	offset [slots]int64

	tracks    []trackCount
	trackRefs map[trackKey]uint32
	trackHot  [64]struct {
		key trackKey
		ref uint32 // number + 1
	}
	texts      map[string]uint32
	textMemory int
	textHot    [128]struct {
		text string
		ref  uint32 // number + 1
	}
}

func newEncoder(seed uint32, base int64) *encoder {
	return &encoder{seed: seed, base: base, open: -1, trackRefs: map[trackKey]uint32{}, texts: map[string]uint32{}}
}

// check says why an event cannot be recorded. A text of any length may be a Detail: it is cut.
func check(e *Event) error {
	switch {
	case !e.Kind.known():
		return fmt.Errorf("an event of unknown kind %d", e.Kind)
	case e.Outcome > queue.Failed:
		return fmt.Errorf("a %v event with unknown outcome %d", e.Kind, e.Outcome)
	case e.Damage > Foreign:
		return fmt.Errorf("a %v event with unknown damage %d", e.Kind, e.Damage)
	}
	if most := max(len(e.Client), len(e.Group), len(e.Name), len(e.Node)); most > maxText {
		return fmt.Errorf("a %v event with a name of %d bytes: %d are allowed", e.Kind, most, maxText)
	}
	return nil
}

// cut shortens an overlong detail, and says so in it.
func cut(detail string) string {
	if len(detail) <= maxText {
		return detail
	}
	note := fmt.Sprintf("… (cut, %d bytes)", len(detail))
	keep := maxText - len(note)
	for keep > maxText-len(note)-utf8.UTFMax && !utf8.RuneStart(detail[keep]) {
		keep--
	}
	return detail[:keep] + note
}

// add appends an event that was checked and whose At is not before the last one's. The parts hand the buffer on to each other,
// because one that is not in a field can stay in registers.
func (c *encoder) add(e *Event) {
	b := c.buf
	if c.open < 0 {
		c.open = len(b)
		b = append(b, blockMark...)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	start := len(b)
	b = append(b, byte(e.Kind), 0, 0)
	b = binary.AppendUvarint(b, uint64(e.At-c.at))
	c.at = e.At
	b, message := c.message(b, e)
	b, numbers := c.numbers(b, e)
	b, words := c.words(b, e)
	binary.LittleEndian.PutUint16(b[start+1:], message|numbers|words)
	c.buf = b
	if len(b)-c.open >= blockTarget {
		c.seal()
	}
}

// seal ends the open block.
func (c *encoder) seal() {
	if c.open < 0 {
		return
	}
	block := c.buf[c.open:]
	binary.LittleEndian.PutUint32(block[8:], uint32(len(block)-blockHead))
	binary.LittleEndian.PutUint32(block[4:], blockSum(c.seed, c.base+int64(c.open), block[8:]))
	c.open = -1
}

// take ends the open block and returns all blocks; the encoder goes on with the buffer spare.
func (c *encoder) take(spare []byte) []byte {
	c.seal()
	full := c.buf
	c.base += int64(len(full))
	c.buf = spare[:0]
	return full
}

// blockSum is the check of a block at a file offset, over its length and events.
func blockSum(seed uint32, offset int64, rest []byte) uint32 {
	var where [12]byte
	binary.LittleEndian.PutUint32(where[0:], seed)
	binary.LittleEndian.PutUint64(where[4:], uint64(offset))
	return crc32.Update(crc32.Checksum(where[:], castagnoli()), castagnoli(), rest)
}

// message appends flags and identity.
func (c *encoder) message(b []byte, e *Event) (out []byte, mask uint16) {
	flags := byte(e.Outcome) | byte(e.Damage)<<damageShift
	if e.Ack {
		flags |= ackFlag
	}
	if e.Duplicate {
		flags |= duplicate
	}
	if flags != 0 {
		mask |= hasFlags
		b = append(b, flags)
	}
	if e.Identity == (queue.Identity{}) {
		return b, mask
	}
	mask |= hasTrack
	var expected uint64
	b, t := c.track(b, e.Identity)
	if t != nil {
		expected = t.next[slot(e.Kind)]
		t.next[slot(e.Kind)] = e.Identity.Seq + 1
	}
	if e.Identity.Seq != expected {
		mask |= hasSeq
		b = appendSigned(b, int64(e.Identity.Seq-expected))
	}
	return b, mask
}

// track appends a reference to the identity's track and returns its counts, or nil if it has none because there are too many.
func (c *encoder) track(b []byte, id queue.Identity) ([]byte, *trackCount) {
	key := trackKey{id.Run, id.Producer, id.Epoch, id.Stream}
	hot := &c.trackHot[(id.Producer^uint32(id.Stream)*31^uint32(id.Epoch)*7)%uint32(len(c.trackHot))]
	if hot.ref == 0 || hot.key != key {
		number, known := c.trackRefs[key]
		if !known {
			return c.newTrack(b, key)
		}
		hot.key, hot.ref = key, number+1
	}
	return binary.AppendUvarint(b, uint64(hot.ref)+1), &c.tracks[hot.ref-1]
}

func (c *encoder) newTrack(b []byte, key trackKey) ([]byte, *trackCount) {
	how := byte(0)
	var t *trackCount
	if len(c.tracks) < maxTracks {
		how = 1
		c.trackRefs[key] = uint32(len(c.tracks))
		c.tracks = append(c.tracks, trackCount{key: key})
		t = &c.tracks[len(c.tracks)-1]
	}
	b = append(b, how)
	b = binary.LittleEndian.AppendUint32(b, key.run)
	b = binary.LittleEndian.AppendUint32(b, key.producer)
	b = binary.LittleEndian.AppendUint16(b, key.epoch)
	b = binary.LittleEndian.AppendUint16(b, key.stream)
	return b, t
}

// numbers appends the numeric fields.
func (c *encoder) numbers(b []byte, e *Event) (out []byte, mask uint16) {
	if e.Back != 0 {
		mask |= hasBack
		b = binary.AppendUvarint(b, uint64(e.Back))
	}
	if e.Attempt != 0 {
		mask |= hasAttempt
		b = appendSigned(b, int64(e.Attempt))
	}
	if e.Partition != 0 {
		mask |= hasPartition
		b = appendSigned(b, int64(e.Partition))
	}
	if e.Intended != 0 {
		mask |= hasIntended
		b = appendSigned(b, e.At-e.Intended)
	}
	if e.Offset != 0 {
		mask |= hasOffset
		b = appendSigned(b, e.Offset-c.offset[slot(e.Kind)])
		c.offset[slot(e.Kind)] = e.Offset
	}
	if e.Claim != 0 {
		mask |= hasClaim
		b = appendSigned(b, e.Claim)
	}
	b, whole := value(b, e.Value)
	return b, mask | whole
}

// value appends a measured value: most are whole numbers.
func value(b []byte, v float64) (out []byte, mask uint16) {
	bits := math.Float64bits(v)
	if bits == 0 {
		return b, 0
	}
	if v != 0 && math.Abs(v) <= 1<<53 && v == math.Trunc(v) {
		return appendSigned(b, int64(v)), hasWhole
	}
	return binary.LittleEndian.AppendUint64(b, bits), hasFloat
}

// words appends the text fields.
func (c *encoder) words(b []byte, e *Event) (out []byte, mask uint16) {
	if e.Client != "" {
		mask |= hasClient
		b = c.text(b, e.Client, maxTexts)
	}
	if e.Group != "" {
		mask |= hasGroup
		b = c.text(b, e.Group, maxTexts)
	}
	if e.Name != "" {
		mask |= hasName
		b = c.text(b, e.Name, maxTexts)
	}
	if e.Node != "" {
		mask |= hasNode
		b = c.text(b, e.Node, maxTexts)
	}
	if e.Detail != "" {
		mask |= hasDetail
		b = c.text(b, cut(e.Detail), maxTexts/2) // details that never repeat must not crowd out the names
	}
	return b, mask
}

// text appends a reference to s, which gets a number if fewer than limit have one.
func (c *encoder) text(b []byte, s string, limit int) []byte {
	n := uint(len(s))
	hot := &c.textHot[(n*31+uint(s[0])*7+uint(s[n-1]))%uint(len(c.textHot))]
	if hot.ref != 0 && hot.text == s {
		return binary.AppendUvarint(b, uint64(hot.ref)+1)
	}
	if number, known := c.texts[s]; known {
		hot.text, hot.ref = s, number+1
		return binary.AppendUvarint(b, uint64(number)+2)
	}
	how := byte(0)
	if len(c.texts) < limit && c.textMemory+len(s) <= maxTextMemory {
		how = 1
		c.texts[s] = uint32(len(c.texts))
		c.textMemory += len(s)
	}
	return appendText(append(b, how), s)
}

func appendSigned(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63))
}
