package history

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// AppReader reads the records that an application wrote to a file. It is for one goroutine, and one pass.
type AppReader struct {
	lines    *bufio.Scanner
	n        int // of the last line
	tracker  appTracker
	err      error
	warnings []string
}

// ReadAppRecords reads what an App wrote to a file, or any other writer of the same lines. Apps that write at the same time have
// files of their own; one that was started again may go on with the file that it had.
func ReadAppRecords(r io.Reader) *AppReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxAppLine+2)
	return &AppReader{lines: lines}
}

// Err returns what ended Records early, or nil.
func (a *AppReader) Err() error { return a.err }

// Warnings says what was passed over: torn lines, which a writer leaves that is killed, or whose disk is full, in mid-write. There
// is one for each such place.
func (a *AppReader) Warnings() []string { return a.warnings }

// Apps returns who wrote the records that came, each start by itself.
func (a *AppReader) Apps() []AppState { return a.tracker.states() }

// Records returns the records in the order of the file, with an AppGap wherever lines are missing. Afterwards Err, Warnings and
// Apps tell how it went. A line that is not of the format ends the loop; only one that was cut short is passed over, and only if
// that is the end of its writer, or its number is missing.
func (a *AppReader) Records() iter.Seq[AppRecord] {
	return func(yield func(AppRecord) bool) {
		torn := 0 // the number of the first of the torn lines right before this one
		for a.lines.Scan() {
			a.n++
			line := bytes.TrimSpace(a.lines.Bytes())
			if len(line) == 0 {
				continue
			}
			if !json.Valid(line) {
				torn = cmp.Or(torn, a.n)
				continue
			}
			records, err := a.take(line, torn)
			if err != nil {
				a.err = err
				return
			}
			torn = 0
			for _, r := range records {
				if !yield(r) {
					return
				}
			}
		}
		a.end(torn)
	}
}

// take reads a line that comes after a torn one, if torn is that one's number.
func (a *AppReader) take(line []byte, torn int) ([]AppRecord, error) {
	r, err := ParseAppRecord(line)
	if err != nil {
		return nil, fmt.Errorf("history: records of an application, line %d: %w", a.n, err)
	}
	records, err := a.tracker.take(r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("history: records of an application, line %d: %w", a.n, err)
	case len(records) == 0:
		return nil, fmt.Errorf("history: records of an application, line %d: seq %d of app %s came before: is the file put "+
			"together of two copies?", a.n, r.Seq, r.App)
	case torn == 0:
	case len(records) == 1 && r.What != AppBegin:
		return nil, fmt.Errorf("history: records of an application, line %d is no JSON, but neither the end of its "+
			"writer nor missing from its numbers", torn)
	default:
		a.warn(torn, a.n-1)
	}
	return records, nil
}

func (a *AppReader) end(torn int) {
	switch err := a.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		a.err = fmt.Errorf("history: records of an application, line %d has more than %d bytes", a.n+1, maxAppLine)
	case err != nil:
		a.err = fmt.Errorf("history: records of an application, after line %d: %w", a.n, err)
	case len(a.tracker.apps) == 0:
		a.err = errors.New("history: records of an application: there are none: an App writes one when it begins")
	case torn > 0:
		a.warn(torn, a.n)
	}
}

func (a *AppReader) warn(first, last int) {
	lines := fmt.Sprintf("line %d is", first)
	if last > first {
		lines = fmt.Sprintf("lines %d to %d are", first, last)
	}
	a.warnings = append(a.warnings, lines+" torn and passed over: the writer was killed, or its disk full, in mid-write")
}
