package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	flushEvery = 100 * time.Millisecond // no event waits longer in memory
	flushSize  = 2 * blockTarget        // so much is written in the background at once
	bufferSize = 4 << 20                // with so much unwritten, Record waits for the disk
	maxBatch   = 1024                   // so many events are recorded at once, then it is seen how much is unwritten
)

// Writer records events to a file. All its methods may be called concurrently.
//
// The order of the file is the order in which Record was called; events of one goroutine keep their order, and At never goes
// backwards. What was recorded reaches the operating system, and so survives the end of this process by any means, within 100 ms;
// for the kinds that a judge cannot do without (reservations, faults and their healing, phases, drain, abort, end) before Record
// returns. Only Close waits for the disk.
type Writer struct {
	path  string
	file  file
	start time.Time
	base  time.Time     // with a monotonic reading
	age   time.Duration // of the run at base

	mu     sync.Mutex // guards what follows, up to flushing
	enc    *encoder
	asked  bool // the background was asked to flush
	closed bool
	broken bool // the file cannot be written: what comes is dropped
	err    error

	flushing chan struct{} // a lock, held while blocks go to the file, in their order; taken before mu. Not a sync.Mutex, so
	spare    []byte        // that a synctest bubble can wait for it

	due   *time.Timer // runs while something waits to be flushed
	ask   chan struct{}
	quit  chan struct{}
	ended chan struct{}
	once  sync.Once
}

// file is the part of os.File that a Writer uses.
type file interface {
	io.WriteCloser
	Sync() error
}

var _ Recorder = (*Writer)(nil)

// Create makes a new history at path and writes h to it. It never overwrites a file. The caller must Close the Writer.
func Create(path string, h Header) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("history: %s exists, and a history is never overwritten: choose another path or move it away", path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("history: create %s: make the folder %s first: %w", path, filepath.Dir(path), err)
	}
	if err != nil {
		return nil, fmt.Errorf("history: create the file: %w", err)
	}
	w, err := newWriter(path, f, h)
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return w, nil
}

func newWriter(path string, f file, h Header) (*Writer, error) {
	base := time.Now()
	if h.Start.IsZero() {
		h.Start = base
	}
	head, seed, err := h.encode()
	if err != nil {
		return nil, fmt.Errorf("history: create %s: %w", path, err)
	}
	if _, err := f.Write(head); err != nil {
		return nil, fmt.Errorf("history: write the header of %s: %w", path, err)
	}
	w := &Writer{
		path: path, file: f, start: h.Start, base: base, age: base.Sub(h.Start),
		enc:      newEncoder(seed, int64(len(head))),
		flushing: make(chan struct{}, 1),
		due:      time.NewTimer(time.Hour), ask: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	w.due.Stop()
	go w.background()
	return w, nil
}

// Start is the run's start: the origin of all times.
func (w *Writer) Start() time.Time { return w.start }

// Now is the time since Start in nanoseconds, on the monotonic clock.
func (w *Writer) Now() int64 { return int64(w.age + time.Since(w.base)) }

// Record adds an event. If its At is 0, it is Now; an At before the last event's is raised to that, so that the file is ordered.
// A Detail of more than 16 KiB is cut, and says so. Record waits for the operating system only for the kinds that Writer names,
// or when 4 MiB are unwritten. An event that cannot be recorded makes an error of Err and Close, and
// an End after it is not recorded either.
func (w *Writer) Record(e Event) {
	w.mu.Lock()
	w.begin()
	w.end(w.add(&e, 0))
}

// RecordBatch records events as Record does, with one reading of the clock for those whose At is 0.
func (w *Writer) RecordBatch(events []Event) {
	for len(events) > 0 {
		n := min(len(events), maxBatch)
		w.mu.Lock()
		w.begin()
		urgent, now := false, int64(0)
		for i := range events[:n] {
			e := &events[i]
			if e.At == 0 && now == 0 {
				now = w.Now()
			}
			urgent = w.add(e, now) || urgent
		}
		w.end(urgent)
		events = events[n:]
	}
}

// begin is called with mu held.
func (w *Writer) begin() {
	if len(w.enc.buf) == 0 && !w.broken && !w.closed {
		w.due.Reset(flushEvery)
	}
}

// add encodes e, with a time if it has none: now, or that of the clock if now is 0, too. It reports whether e is to be written at
// once, and is called with mu held.
func (w *Writer) add(e *Event, now int64) (urgent bool) {
	if !w.admit(e) {
		return false
	}
	if e.At == 0 {
		if now == 0 {
			now = w.Now()
		}
		e.At = now
	}
	e.At = max(e.At, w.enc.at, 1) // not 0, which means "not stamped" to whoever records it again
	w.enc.add(e)
	return atOnce(e.Kind)
}

// end gives up mu, and sees to it that what was added is written in its time.
func (w *Writer) end(urgent bool) {
	waiting := len(w.enc.buf)
	now := urgent || waiting >= bufferSize
	ask := !now && !w.asked && waiting >= flushSize
	w.asked = w.asked || ask
	w.mu.Unlock()
	if now {
		w.flush()
	} else if ask {
		select {
		case w.ask <- struct{}{}:
		default: // it was asked already, and has not begun
		}
	}
}

// admit reports whether e can be recorded, and keeps the reason if it cannot. It is called with mu held.
func (w *Writer) admit(e *Event) bool {
	if w.broken || e.Kind == End && w.err != nil { // a history with a hole has no End: it must not look whole
		return false
	}
	if w.closed {
		w.keep(fmt.Errorf("history: %s: a %v event came after Close and was not recorded", w.path, e.Kind))
		return false
	}
	if err := check(e); err != nil {
		w.keep(fmt.Errorf("history: %s: %w was not recorded", w.path, err))
		return false
	}
	return true
}

// atOnce says which events are given to the operating system before Record returns.
func atOnce(k Kind) bool {
	const kinds = 1<<Reserve | 1<<FaultBegin | 1<<FaultSeen | 1<<HealBegin | 1<<HealSeen | 1<<Phase | 1<<Drain | 1<<Abort | 1<<End
	return kinds>>k&1 != 0
}

func (w *Writer) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Err returns the first error ever met: with one, the history is not whole.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Flush gives all events recorded so far to the operating system, and returns what Err returns.
func (w *Writer) Flush() error {
	w.flush()
	return w.Err()
}

func (w *Writer) flush() {
	w.flushing <- struct{}{}
	defer func() { <-w.flushing }()
	w.mu.Lock()
	w.due.Stop()
	w.asked = false
	at := w.enc.base
	blocks := w.enc.take(w.spare)
	broken := w.broken
	w.mu.Unlock()
	w.spare = blocks
	if broken || len(blocks) == 0 {
		return
	}
	if n, err := w.file.Write(blocks); err != nil {
		w.mu.Lock()
		w.broken = true
		w.keep(fmt.Errorf("history: write %s at offset %d: %w: nothing after that is recorded", w.path, at+int64(n), err))
		w.mu.Unlock()
	}
}

// background flushes when something has waited long enough, or is enough.
func (w *Writer) background() {
	defer close(w.ended)
	for {
		select {
		case <-w.quit:
			return
		case <-w.due.C:
			w.flush()
		case <-w.ask:
			w.flush()
		}
	}
}

// Close writes what is left, waits until it is on the disk, and returns the first error ever met. It may be called twice.
func (w *Writer) Close() error {
	w.once.Do(func() {
		w.mu.Lock()
		w.closed = true
		w.mu.Unlock()
		close(w.quit)
		<-w.ended
		w.flush()
		err := errors.Join(w.file.Sync(), w.file.Close())
		w.mu.Lock()
		if err != nil {
			w.keep(fmt.Errorf("history: close %s: %w", w.path, err))
		}
		w.mu.Unlock()
	})
	return w.Err()
}
