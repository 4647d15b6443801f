package program

import (
	"fmt"
	"os"
	"sync"
)

const defaultMaxLog = 64 << 20

// boundedFile is a file that takes no more than its bound, and pretends to take the rest.
type boundedFile struct {
	mu   sync.Mutex
	file *os.File // nil: nothing is kept
	room int64
}

func openLog(path string, most int64) (*boundedFile, error) {
	if path == "" {
		return &boundedFile{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	if most <= 0 {
		most = defaultMaxLog
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("open its log: %w", err)
	}
	return &boundedFile{file: f, room: most - info.Size()}, nil
}

// Write never fails: a full disk must not end the program.
func (b *boundedFile) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil || b.room <= 0 {
		return len(p), nil
	}
	_, _ = b.file.Write(p[:min(int64(len(p)), b.room)])
	if b.room -= int64(len(p)); b.room <= 0 {
		_, _ = b.file.WriteString("\n… the rest is left out: the log is full\n")
	}
	return len(p), nil
}

func (b *boundedFile) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return nil
	}
	f := b.file
	b.file = nil
	return f.Close()
}
