package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// Reader reads a history from its file. It is for one goroutine at a time.
type Reader struct {
	path    string
	file    io.ReaderAt
	close   func() error
	size    int64
	header  Header
	first   int64  // offset of the first block
	seed    uint32 // the header's check
	buf     []byte
	err     error
	warning string
}

// Open opens the history at path and reads its header. What is written to the file later is not seen.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("history: open the file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("history: open %s: %w", path, err), f.Close())
	}
	r, err := newReader(path, f, info.Size())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.close = f.Close
	return r, nil
}

func newReader(path string, file io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{path: path, file: file, size: size, close: func() error { return nil }}
	var err error
	if r.header, r.first, r.seed, err = readHeader(file, size); err != nil {
		return nil, fmt.Errorf("history: %s: %w", path, err)
	}
	return r, nil
}

// Header says which run this is.
func (r *Reader) Header() Header { return r.header }

// Err returns what ended the last pass over Events early, or nil. With an error, the events that came are true, and there
// were more.
func (r *Reader) Err() error { return r.err }

// Warning says what the last pass over Events cut: the torn end that a killed writer leaves. It is empty if nothing was cut.
func (r *Reader) Warning() string { return r.warning }

// Close closes the file.
func (r *Reader) Close() error { return r.close() }

// Events returns the events in the order of the file. Each loop over them is a new pass from the beginning; afterwards Err and
// Warning tell how it went.
//
// A damaged or torn block ends the pass. If nothing but one torn block (or only zeros, as after a power cut) is left, it was
// cut: that is the normal end of a file whose writer was killed, and a Warning. Otherwise it is an error: a judge that
// knows the events before a hole and those after it, but not those within, would see losses and phantoms that never were.
func (r *Reader) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		r.err, r.warning = nil, ""
		var d decoder
		for at := r.first; at < r.size; {
			events, reason := r.block(at)
			if reason != nil {
				r.stop(at, reason)
				return
			}
			d.block(events)
			var e Event
			for d.next(&e) {
				if !yield(e) {
					return
				}
				e = Event{}
			}
			if d.bad {
				r.err = fmt.Errorf("history: %s: the block at offset %d is malformed at its byte %d, though its checksum "+
					"matches: it was not written by this version of havoq", r.path, at, d.off)
				return
			}
			at += int64(blockHead + len(events))
		}
	}
}

// errRead is a file that cannot be read, as opposed to one with damaged bytes.
type errRead struct{ error }

// block returns the events of the block at an offset, or what is wrong with it.
func (r *Reader) block(at int64) ([]byte, error) {
	if r.size-at < int64(blockHead) {
		return nil, errors.New("a torn block")
	}
	if r.buf == nil {
		r.buf = make([]byte, blockHead+maxBlock)
	}
	// One read takes in a usual block whole.
	head := r.buf[:min(int64(blockHead+blockTarget+1024), r.size-at)]
	if _, err := r.file.ReadAt(head, at); err != nil {
		return nil, errRead{err}
	}
	if string(head[:4]) != blockMark {
		return nil, errors.New("no block begins there")
	}
	length := int64(binary.LittleEndian.Uint32(head[8:]))
	total := int64(blockHead) + length
	switch {
	case length == 0 || length > maxBlock:
		return nil, fmt.Errorf("a block of %d bytes", length)
	case total > r.size-at:
		return nil, errors.New("a torn block")
	}
	block := r.buf[:total]
	if int64(len(head)) < total {
		if _, err := r.file.ReadAt(block[len(head):], at+int64(len(head))); err != nil {
			return nil, errRead{err}
		}
	}
	if blockSum(r.seed, at, block[8:]) != binary.LittleEndian.Uint32(block[4:]) {
		return nil, errors.New("a block whose checksum does not match")
	}
	return block[blockHead:], nil
}

// stop ends a pass at a bad block: cut with a warning if it is the torn end, else an error.
func (r *Reader) stop(at int64, reason error) {
	if e := (errRead{}); errors.As(reason, &e) {
		r.err = fmt.Errorf("history: read %s at offset %d: %w", r.path, at, e.error)
		return
	}
	torn, another, err := r.tornEnd(at)
	switch {
	case err != nil:
		r.err = fmt.Errorf("history: read %s: %w", r.path, err)
	case another > 0:
		r.err = fmt.Errorf("history: %s: another history begins at offset %d: two files were pasted together; take them apart there "+
			"(head -c %d) and judge each", r.path, another, another)
	case torn:
		r.warning = fmt.Sprintf("%s: the last %d bytes, from offset %d, are a torn block and were cut (%v): its writer was "+
			"killed in mid-write", r.path, r.size-at, at, reason)
	default:
		r.err = fmt.Errorf("history: %s is corrupt at offset %d (%w) and %d bytes follow: the events before it are sound, "+
			"the rest is not to be trusted; judge an undamaged copy", r.path, at, reason, r.size-at)
	}
}

// tornEnd reports whether the rest of the file, from a bad block on, can be what a killed writer left: less than a block in
// which no whole block begins, or only zeros. another is where another history begins there; 0: none does.
func (r *Reader) tornEnd(at int64) (torn bool, another int64, err error) {
	rest := r.size - at
	tail := make([]byte, min(rest, int64(blockHead+maxBlock)))
	if _, err := r.file.ReadAt(tail, at); err != nil {
		return false, 0, err
	}
	if i := bytes.Index(tail, []byte(magic)); i >= 0 {
		return false, at + int64(i), nil
	}
	if rest > int64(len(tail)) {
		torn, err := r.zeros(at)
		return torn, 0, err
	}
	for from := 1; ; from++ {
		i := bytes.Index(tail[min(from, len(tail)):], []byte(blockMark))
		if i < 0 {
			return true, 0, nil
		}
		from += i
		if r.whole(tail[from:], at+int64(from)) {
			return false, 0, nil
		}
	}
}

// whole reports whether b, at a file offset, begins with a sound block.
func (r *Reader) whole(b []byte, at int64) bool {
	if len(b) < blockHead {
		return false
	}
	length := int64(binary.LittleEndian.Uint32(b[8:]))
	total := int64(blockHead) + length
	return length > 0 && total <= int64(len(b)) && blockSum(r.seed, at, b[8:total]) == binary.LittleEndian.Uint32(b[4:])
}

// maxZeros bounds the search for the end of zeros: more than the system holds back for its disk is no torn end.
const maxZeros = 1 << 30

// zeros reports whether the file holds nothing but zeros from an offset on, and not too many.
func (r *Reader) zeros(at int64) (bool, error) {
	if r.size-at > maxZeros {
		return false, nil
	}
	chunk := r.buf[:64<<10]
	for ; at < r.size; at += int64(len(chunk)) {
		chunk = chunk[:min(int64(len(chunk)), r.size-at)]
		if _, err := r.file.ReadAt(chunk, at); err != nil {
			return false, err
		}
		if len(bytes.TrimLeft(chunk, "\x00")) > 0 {
			return false, nil
		}
	}
	return true, nil
}
