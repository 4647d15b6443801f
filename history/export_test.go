package history

import "bytes"

// What tests in package history_test need of the inside.

type File = file

var (
	NewWriter = newWriter
	NewReader = newReader
	ParseKind = parseKind
)

const (
	MaxText    = maxText
	MaxTracks  = maxTracks
	BufferSize = bufferSize
	BlockHead  = blockHead
	MaxBlock   = maxBlock
)

// NewFailingApp returns an App whose n-th write, from 0, is what write says, and what was written.
func NewFailingApp(write func(n int, line []byte) (int, error)) (*App, *bytes.Buffer) {
	f := &failingFile{write: write}
	a := &App{config: AppConfig{Group: "billing"}, name: "failing", sink: &appFile{file: f, path: "the file"}}
	if err := a.begin(); err != nil {
		panic(err)
	}
	return a, &f.written
}

type failingFile struct {
	n       int
	write   func(n int, line []byte) (int, error)
	written bytes.Buffer
}

func (f *failingFile) Write(b []byte) (int, error) {
	n, err := f.write(f.n, b)
	f.n++
	f.written.Write(b[:n])
	return n, err
}

func (f *failingFile) Close() error { return nil }
