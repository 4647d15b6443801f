package broker

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// logFile is the engine's logger. The engine's own file logger ends the process at the first fatal line; this one keeps the
// line, so that it can be returned.
type logFile struct {
	stamp bool
	fatal chan string // the first fatal line

	mu   sync.Mutex
	file *os.File // nil: discard, or closed
}

var _ server.Logger = (*logFile)(nil)

func openLog(path string, stamp bool) (*logFile, error) {
	l := &logFile{stamp: stamp, fatal: make(chan string, 1)}
	if path == "" {
		return l, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	l.file = file
	return l, nil
}

func (l *logFile) Noticef(format string, v ...any) { l.write("INF", format, v) }
func (l *logFile) Warnf(format string, v ...any)   { l.write("WRN", format, v) }
func (l *logFile) Errorf(format string, v ...any)  { l.write("ERR", format, v) }
func (l *logFile) Debugf(format string, v ...any)  { l.write("DBG", format, v) }
func (l *logFile) Tracef(format string, v ...any)  { l.write("TRC", format, v) }

// Fatalf keeps the first line for whoever waits; later ones are consequences and only logged.
func (l *logFile) Fatalf(format string, v ...any) {
	l.write("FTL", format, v)
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

// write adds one line. A log that cannot be written (a full disk) must not take the broker down, so its errors are dropped.
func (l *logFile) write(level, format string, v []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return
	}
	stamp := ""
	if l.stamp {
		stamp = time.Now().UTC().Format("2006-01-02T15:04:05.000000Z ")
	}
	fmt.Fprintf(l.file, "%s[%d] [%s] %s\n", stamp, os.Getpid(), level, fmt.Sprintf(format, v...))
}

func (l *logFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
