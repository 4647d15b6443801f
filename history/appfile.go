package history

import (
	"context"
	"fmt"
	"io"
	"os"
)

// appFile appends lines to a file, each with one write.
type appFile struct {
	file io.WriteCloser
	path string
	torn bool // the file does not end with a whole line
	buf  []byte
}

var _ appSink = (*appFile)(nil)

func newAppFile(path string) (*appFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the file for records: %w", err)
	}
	torn, err := endsTorn(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read the end of %s: %w", path, err)
	}
	return &appFile{file: f, path: path, torn: torn}, nil
}

// endsTorn reports whether f ends in mid-line: whoever wrote it before was killed.
func endsTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("not a regular file")
	case info.Size() == 0:
		return false, nil
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

func (s *appFile) add(line []byte) error {
	if s.torn {
		s.buf = append(append(s.buf[:0], '\n'), line...)
		line = s.buf
	}
	n, err := s.file.Write(line)
	if err != nil {
		s.torn = s.torn && n == 0 || n > 0
		return fmt.Errorf("write to %s: %w", s.path, err)
	}
	s.torn = false
	return nil
}

// close does not wait for ctx: what was added is written.
func (s *appFile) close(context.Context) (uint64, error) {
	return 0, s.file.Close()
}
