package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"time"
)

// Header opens a history and says which run it belongs to.
type Header struct {
	Run   uint32            // the run's number in every Identity
	Name  string            // the run's name
	Seed  uint64            // of all the run's draws
	Start time.Time         // the origin of all times; zero: the time of Create
	Info  map[string]string // what else is worth knowing: versions, target, settings
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // one shared table, made by the package

// encode returns the prelude and the header, and the check that seeds those of the blocks.
func (h Header) encode() ([]byte, uint32, error) {
	if y := h.Start.Year(); y < 1678 || y > 2261 {
		return nil, 0, fmt.Errorf("the run's start %v is out of range", h.Start)
	}
	b := make([]byte, preludeSize, 1<<10)
	b = binary.LittleEndian.AppendUint32(b, h.Run)
	b = binary.LittleEndian.AppendUint64(b, h.Seed)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Start.UnixNano()))
	b = appendText(b, h.Name)
	b = binary.AppendUvarint(b, uint64(len(h.Info)))
	for _, key := range sortedKeys(h.Info) {
		b = appendText(appendText(b, key), h.Info[key])
	}
	if len(b)-preludeSize > maxHeader {
		return nil, 0, fmt.Errorf("the header has %d bytes, %d are allowed: put less into Info", len(b)-preludeSize, maxHeader)
	}
	copy(b, magic)
	binary.LittleEndian.PutUint16(b[8:], version)
	binary.LittleEndian.PutUint32(b[10:], uint32(len(b)-preludeSize))
	sum := headerSum(b)
	binary.LittleEndian.PutUint32(b[14:], sum)
	return b, sum, nil
}

// headerSum is the check of a whole prelude and header.
func headerSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[8:14], castagnoli()), castagnoli(), b[preludeSize:])
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// readHeader reads the prelude and the header of a file. It returns the size of both and the check that seeds those of the
// blocks.
func readHeader(file io.ReaderAt, size int64) (h Header, total int64, sum uint32, err error) {
	b := make([]byte, preludeSize)
	if size < int64(preludeSize) {
		return h, 0, 0, fmt.Errorf("%d bytes are no history: it ends within its header, nothing was recorded", size)
	}
	if _, err := file.ReadAt(b, 0); err != nil {
		return h, 0, 0, fmt.Errorf("read the header: %w", err)
	}
	if string(b[:8]) != magic {
		return h, 0, 0, errors.New("not a history of havoq, or its first bytes are damaged")
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != version {
		return h, 0, 0, fmt.Errorf("the format is version %d and this havoq reads version %d: use the havoq that wrote it, "+
			"or a newer one", v, version)
	}
	length := int64(binary.LittleEndian.Uint32(b[10:]))
	total = int64(preludeSize) + length
	if length > maxHeader {
		return h, 0, 0, fmt.Errorf("the header is corrupt: it claims %d bytes, %d are allowed", length, maxHeader)
	}
	if total > size {
		return h, 0, 0, fmt.Errorf("%d bytes of a header of %d: nothing was recorded", size, total)
	}
	b = append(b, make([]byte, length)...)
	if _, err := file.ReadAt(b[preludeSize:], int64(preludeSize)); err != nil {
		return h, 0, 0, fmt.Errorf("read the header: %w", err)
	}
	sum = headerSum(b)
	if sum != binary.LittleEndian.Uint32(b[14:]) {
		return h, 0, 0, errors.New("the header is corrupt: its checksum does not match")
	}
	h, err = decodeHeader(b[preludeSize:])
	return h, total, sum, err
}

func decodeHeader(b []byte) (Header, error) {
	d := decoder{buf: b}
	h := Header{Run: d.u32(), Seed: d.u64(), Start: time.Unix(0, int64(d.u64())), Name: d.text(math.MaxInt)}
	count := d.uvarint()
	if count > 0 {
		h.Info = map[string]string{}
	}
	for ; count > 0 && !d.bad; count-- {
		key := d.text(math.MaxInt)
		h.Info[key] = d.text(math.MaxInt)
	}
	if d.bad || d.off != len(b) {
		return Header{}, errors.New("the header is malformed, though its checksum matches: it was not written by havoq")
	}
	return h, nil
}
