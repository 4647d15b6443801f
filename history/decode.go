package history

import (
	"encoding/binary"
	"math"

	"github.com/havoqlab/havoq/queue"
)

// decoder turns the events of blocks back. All lengths and numbers are checked before use; whatever does not fit sets bad.
type decoder struct {
	buf    []byte // the events of one block
	off    int
	bad    bool
	at     int64
	offset [slots]int64

	tracks     []trackCount
	loose      trackCount // the last track that has no number
	texts      []string
	textMemory int
}

// block starts on the events of the next block.
func (d *decoder) block(events []byte) { d.buf, d.off = events, 0 }

// next decodes one event into e, which is all zero. It reports false at the end of the block and on malformed data, which
// sets bad.
func (d *decoder) next(e *Event) bool {
	if d.bad || d.off == len(d.buf) {
		return false
	}
	if len(d.buf)-d.off < 3 {
		d.bad = true
		return false
	}
	e.Kind = Kind(d.buf[d.off])
	mask := binary.LittleEndian.Uint16(d.buf[d.off+1:])
	d.off += 3
	later := d.uvarint()
	if !e.Kind.known() || later > uint64(math.MaxInt64-d.at) {
		d.bad = true
		return false
	}
	d.at += int64(later)
	e.At = d.at
	d.message(e, mask)
	d.numbers(e, mask)
	if mask >= hasClient {
		d.words(e, mask)
	}
	return !d.bad
}

func (d *decoder) message(e *Event, mask uint16) {
	if mask&hasFlags != 0 {
		flags := d.u8()
		e.Outcome = queue.Outcome(flags & outcomeBits)
		e.Damage = Damage(flags >> damageShift & damageBits)
		e.Ack = flags&ackFlag != 0
		e.Duplicate = flags&duplicate != 0
		if flags&unknownFlags != 0 || e.Outcome > queue.Failed {
			d.bad = true
		}
	}
	if mask&hasTrack == 0 {
		if mask&hasSeq != 0 {
			d.bad = true
		}
		return
	}
	t := d.track()
	if d.bad {
		return
	}
	next := &t.next[slot(e.Kind)]
	seq := *next
	if mask&hasSeq != 0 {
		seq += uint64(d.signed())
	}
	*next = seq + 1
	e.Identity = queue.Identity{
		Run: t.key.run, Producer: t.key.producer, Epoch: t.key.epoch, Stream: t.key.stream, Seq: seq,
	}
}

// track reads a reference to a track.
func (d *decoder) track() *trackCount {
	ref := d.uvarint()
	if ref >= 2 {
		if ref-2 >= uint64(len(d.tracks)) {
			d.bad = true
			return nil
		}
		return &d.tracks[ref-2]
	}
	t := trackCount{key: trackKey{run: d.u32(), producer: d.u32(), epoch: d.u16(), stream: d.u16()}}
	if ref == 0 {
		d.loose = t
		return &d.loose
	}
	if len(d.tracks) == maxTracks {
		d.bad = true
		return nil
	}
	d.tracks = append(d.tracks, t)
	return &d.tracks[len(d.tracks)-1]
}

func (d *decoder) numbers(e *Event, mask uint16) {
	if mask&hasBack != 0 {
		v := d.uvarint()
		e.Back = uint32(v)
		d.bad = d.bad || v > math.MaxUint32
	}
	if mask&hasAttempt != 0 {
		e.Attempt = d.signed32()
	}
	if mask&hasPartition != 0 {
		e.Partition = d.signed32()
	}
	if mask&hasIntended != 0 {
		e.Intended = e.At - d.signed()
	}
	if mask&hasOffset != 0 {
		last := &d.offset[slot(e.Kind)]
		*last += d.signed()
		e.Offset = *last
	}
	if mask&hasClaim != 0 {
		e.Claim = d.signed()
	}
	if mask&hasWhole != 0 {
		e.Value = float64(d.signed())
	}
	if mask&hasFloat != 0 {
		e.Value = math.Float64frombits(d.u64())
	}
}

func (d *decoder) words(e *Event, mask uint16) {
	if mask&hasClient != 0 {
		e.Client = d.numbered()
	}
	if mask&hasGroup != 0 {
		e.Group = d.numbered()
	}
	if mask&hasName != 0 {
		e.Name = d.numbered()
	}
	if mask&hasNode != 0 {
		e.Node = d.numbered()
	}
	if mask&hasDetail != 0 {
		e.Detail = d.numbered()
	}
}

// numbered reads a text or the number of one.
func (d *decoder) numbered() string {
	ref := d.uvarint()
	if ref >= 2 {
		if ref-2 >= uint64(len(d.texts)) {
			d.bad = true
			return ""
		}
		return d.texts[ref-2]
	}
	s := d.text(maxText)
	if ref == 0 || d.bad {
		return s
	}
	if len(d.texts) == maxTexts || d.textMemory+len(s) > maxTextMemory {
		d.bad = true
		return ""
	}
	d.texts = append(d.texts, s)
	d.textMemory += len(s)
	return s
}

// text reads a length and so many bytes, at most limit.
func (d *decoder) text(limit int) string {
	n := d.uvarint()
	if d.bad || n > uint64(len(d.buf)-d.off) || n > uint64(limit) {
		d.bad = true
		return ""
	}
	s := string(d.buf[d.off : d.off+int(n)])
	d.off += int(n)
	return s
}

func (d *decoder) uvarint() uint64 {
	if d.off < len(d.buf) && d.buf[d.off] < 0x80 {
		d.off++
		return uint64(d.buf[d.off-1])
	}
	return d.longUvarint()
}

func (d *decoder) longUvarint() uint64 {
	v, n := binary.Uvarint(d.buf[min(d.off, len(d.buf)):])
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.off += n
	return v
}

func (d *decoder) signed() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) signed32() int32 {
	v := d.signed()
	if v != int64(int32(v)) {
		d.bad = true
	}
	return int32(v)
}

// fixed returns the next n bytes, at most 8, or zeros.
func (d *decoder) fixed(n int) []byte {
	if d.bad || len(d.buf)-d.off < n {
		d.bad = true
		return make([]byte, 8)
	}
	d.off += n
	return d.buf[d.off-n : d.off]
}

func (d *decoder) u8() byte    { return d.fixed(1)[0] }
func (d *decoder) u16() uint16 { return binary.LittleEndian.Uint16(d.fixed(2)) }
func (d *decoder) u32() uint32 { return binary.LittleEndian.Uint32(d.fixed(4)) }
func (d *decoder) u64() uint64 { return binary.LittleEndian.Uint64(d.fixed(8)) }
