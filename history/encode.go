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

// add appends an event that was checked and whose At is not before the last one's.
func (c *encoder) add(e *Event) {
	if c.open < 0 {
		c.open = len(c.buf)
		c.buf = append(c.buf, blockMark...)
		c.buf = append(c.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	start := len(c.buf)
	c.buf = append(c.buf, byte(e.Kind), 0, 0)
	c.buf = binary.AppendUvarint(c.buf, uint64(e.At-c.at))
	c.at = e.At
	mask := c.message(e) | c.numbers(e) | c.words(e)
	binary.LittleEndian.PutUint16(c.buf[start+1:], mask)
	if len(c.buf)-c.open >= blockTarget {
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
func (c *encoder) message(e *Event) (mask uint16) {
	flags := byte(e.Outcome) | byte(e.Damage)<<damageShift
	if e.Ack {
		flags |= ackFlag
	}
	if e.Duplicate {
		flags |= duplicate
	}
	if flags != 0 {
		mask |= hasFlags
		c.buf = append(c.buf, flags)
	}
	if e.Identity == (queue.Identity{}) {
		return mask
	}
	mask |= hasTrack
	var expected uint64
	if t := c.track(e.Identity); t != nil {
		expected = t.next[slot(e.Kind)]
		t.next[slot(e.Kind)] = e.Identity.Seq + 1
	}
	if e.Identity.Seq != expected {
		mask |= hasSeq
		c.buf = appendSigned(c.buf, int64(e.Identity.Seq-expected))
	}
	return mask
}

// track appends a reference to the identity's track and returns its counts, or nil if it has none because there are too many.
func (c *encoder) track(id queue.Identity) *trackCount {
	key := trackKey{id.Run, id.Producer, id.Epoch, id.Stream}
	hot := &c.trackHot[(id.Producer^uint32(id.Stream)*31^uint32(id.Epoch)*7)%uint32(len(c.trackHot))]
	if hot.ref == 0 || hot.key != key {
		number, known := c.trackRefs[key]
		if !known {
			return c.newTrack(key)
		}
		hot.key, hot.ref = key, number+1
	}
	c.buf = binary.AppendUvarint(c.buf, uint64(hot.ref)+1)
	return &c.tracks[hot.ref-1]
}

func (c *encoder) newTrack(key trackKey) (t *trackCount) {
	how := byte(0)
	if len(c.tracks) < maxTracks {
		how = 1
		c.trackRefs[key] = uint32(len(c.tracks))
		c.tracks = append(c.tracks, trackCount{key: key})
		t = &c.tracks[len(c.tracks)-1]
	}
	c.buf = append(c.buf, how)
	c.buf = binary.LittleEndian.AppendUint32(c.buf, key.run)
	c.buf = binary.LittleEndian.AppendUint32(c.buf, key.producer)
	c.buf = binary.LittleEndian.AppendUint16(c.buf, key.epoch)
	c.buf = binary.LittleEndian.AppendUint16(c.buf, key.stream)
	return t
}

// numbers appends the numeric fields.
func (c *encoder) numbers(e *Event) (mask uint16) {
	if e.Back != 0 {
		mask |= hasBack
		c.buf = binary.AppendUvarint(c.buf, uint64(e.Back))
	}
	if e.Attempt != 0 {
		mask |= hasAttempt
		c.buf = appendSigned(c.buf, int64(e.Attempt))
	}
	if e.Partition != 0 {
		mask |= hasPartition
		c.buf = appendSigned(c.buf, int64(e.Partition))
	}
	if e.Intended != 0 {
		mask |= hasIntended
		c.buf = appendSigned(c.buf, e.At-e.Intended)
	}
	if e.Offset != 0 {
		mask |= hasOffset
		c.buf = appendSigned(c.buf, e.Offset-c.offset[slot(e.Kind)])
		c.offset[slot(e.Kind)] = e.Offset
	}
	if e.Claim != 0 {
		mask |= hasClaim
		c.buf = appendSigned(c.buf, e.Claim)
	}
	return mask | c.value(e.Value)
}

// value appends a measured value: most are whole numbers.
func (c *encoder) value(v float64) uint16 {
	bits := math.Float64bits(v)
	if bits == 0 {
		return 0
	}
	if v != 0 && math.Abs(v) <= 1<<53 && v == math.Trunc(v) {
		c.buf = appendSigned(c.buf, int64(v))
		return hasWhole
	}
	c.buf = binary.LittleEndian.AppendUint64(c.buf, bits)
	return hasFloat
}

// words appends the text fields.
func (c *encoder) words(e *Event) (mask uint16) {
	if e.Client != "" {
		mask |= hasClient
		c.text(e.Client, maxTexts)
	}
	if e.Group != "" {
		mask |= hasGroup
		c.text(e.Group, maxTexts)
	}
	if e.Name != "" {
		mask |= hasName
		c.text(e.Name, maxTexts)
	}
	if e.Node != "" {
		mask |= hasNode
		c.text(e.Node, maxTexts)
	}
	if e.Detail != "" {
		mask |= hasDetail
		c.text(cut(e.Detail), maxTexts/2) // details that never repeat must not crowd out the names
	}
	return mask
}

// text appends a reference to s, which gets a number if fewer than limit have one.
func (c *encoder) text(s string, limit int) {
	n := uint(len(s))
	hot := &c.textHot[(n*31+uint(s[0])*7+uint(s[n-1]))%uint(len(c.textHot))]
	if hot.ref != 0 && hot.text == s {
		c.buf = binary.AppendUvarint(c.buf, uint64(hot.ref)+1)
		return
	}
	if number, known := c.texts[s]; known {
		hot.text, hot.ref = s, number+1
		c.buf = binary.AppendUvarint(c.buf, uint64(number)+2)
		return
	}
	how := byte(0)
	if len(c.texts) < limit && c.textMemory+len(s) <= maxTextMemory {
		how = 1
		c.texts[s] = uint32(len(c.texts))
		c.textMemory += len(s)
	}
	c.buf = appendText(append(c.buf, how), s)
}

func appendSigned(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63))
}
