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
	"math"
	"strconv"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// The longest lines of the JSON form, where each byte of their texts is escaped.
const (
	maxLine       = 6*5*maxText + 4096 // of an event
	maxHeaderLine = 6*maxHeader + 4096
)

// line is an event as one line of JSON. Fields that are zero are left out, but for the outcome of kinds that are about one.
type line struct {
	Kind      string    `json:"kind"`
	At        int64     `json:"at"` // nanoseconds since the start of the run
	Message   *identity `json:"message,omitempty"`
	Back      uint32    `json:"back,omitempty"`
	Attempt   int32     `json:"attempt,omitempty"`
	Intended  int64     `json:"intended,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Damage    string    `json:"damage,omitempty"`
	Ack       bool      `json:"ack,omitempty"`
	Duplicate bool      `json:"duplicate,omitempty"`
	Partition int32     `json:"partition,omitempty"`
	Offset    int64     `json:"offset,omitempty"`
	Claim     int64     `json:"claim,omitempty"`
	Value     *number   `json:"value,omitempty"`
	Client    string    `json:"client,omitempty"`
	Group     string    `json:"group,omitempty"`
	Name      string    `json:"name,omitempty"`
	Node      string    `json:"node,omitempty"`
	Detail    string    `json:"detail,omitempty"`
}

type identity struct {
	Run      uint32 `json:"run"`
	Producer uint32 `json:"producer"`
	Epoch    uint16 `json:"epoch,omitempty"`
	Stream   uint16 `json:"stream,omitempty"`
	Seq      uint64 `json:"seq"`
}

// number is a float64 that JSON can carry: infinities and NaN are strings.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(v, 'g', -1, 64)), nil
	}
	return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
}

func (n *number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(string(bytes.Trim(b, `"`)), 64)
	*n = number(v)
	return err
}

// WriteJSON writes events as JSON lines, one a line, kinds as words, in the order of events. Text that is not UTF-8 is written
// with U+FFFD in its place.
func WriteJSON(w io.Writer, events iter.Seq[Event]) error {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for e := range events {
		if err := check(&e); err != nil {
			return fmt.Errorf("history: write JSON: %w", err)
		}
		if err := enc.Encode(toLine(&e)); err != nil {
			return fmt.Errorf("history: write JSON: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("history: write JSON: %w", err)
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote. It is strict: an unknown field or word, a field of the wrong type, and a line longer than
// half a megabyte are errors that name the line, and end the loop.
func ReadJSON(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 4096), maxLine)
		readLines(lines, 0)(yield)
	}
}

// readLines reads the events of the lines after the n-th.
func readLines(lines *bufio.Scanner, n int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for lines.Scan() {
			n++
			if len(lines.Bytes()) > maxLine {
				yield(Event{}, fmt.Errorf("history: JSON line %d: %w", n, bufio.ErrTooLong))
				return
			}
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			e, err := fromJSON(lines.Bytes())
			if err != nil {
				yield(Event{}, fmt.Errorf("history: JSON line %d: %w", n, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Event{}, fmt.Errorf("history: JSON line %d: %w", n+1, err))
		}
	}
}

func toLine(e *Event) *line {
	l := &line{
		Kind: e.Kind.String(), At: e.At, Back: e.Back, Attempt: e.Attempt, Intended: e.Intended,
		Ack: e.Ack, Duplicate: e.Duplicate, Partition: e.Partition, Offset: e.Offset, Claim: e.Claim,
		Client: e.Client, Group: e.Group, Name: e.Name, Node: e.Node, Detail: cut(e.Detail),
	}
	if id := e.Identity; id != (queue.Identity{}) {
		l.Message = &identity{id.Run, id.Producer, id.Epoch, id.Stream, id.Seq}
	}
	switch e.Kind {
	case Outcome, Settle, Probe, Drain:
		l.Outcome = e.Outcome.String()
	default:
		if e.Outcome != 0 {
			l.Outcome = e.Outcome.String()
		}
	}
	if e.Damage != Sound {
		l.Damage = e.Damage.String()
	}
	if math.Float64bits(e.Value) != 0 {
		l.Value = (*number)(&e.Value)
	}
	return l
}

func fromJSON(b []byte) (e Event, err error) {
	var l line
	if err := strict(b, &l); err != nil {
		return e, err
	}
	e = Event{
		At: l.At, Back: l.Back, Attempt: l.Attempt, Intended: l.Intended,
		Ack: l.Ack, Duplicate: l.Duplicate, Partition: l.Partition, Offset: l.Offset, Claim: l.Claim,
		Client: l.Client, Group: l.Group, Name: l.Name, Node: l.Node, Detail: l.Detail,
	}
	if e.At < 0 {
		return e, fmt.Errorf("at %d is before the start of the run", e.At)
	}
	if e.Kind, err = parseKind(l.Kind); err != nil {
		return e, err
	}
	if l.Outcome != "" {
		if e.Outcome, err = parseOutcome(l.Outcome); err != nil {
			return e, err
		}
	}
	if l.Damage != "" {
		if e.Damage, err = parseDamage(l.Damage); err != nil {
			return e, err
		}
	}
	if l.Message != nil {
		e.Identity = queue.Identity{
			Run: l.Message.Run, Producer: l.Message.Producer, Epoch: l.Message.Epoch, Stream: l.Message.Stream, Seq: l.Message.Seq,
		}
	}
	if l.Value != nil {
		e.Value = float64(*l.Value)
	}
	return e, check(&e)
}

// strict decodes exactly one JSON value without unknown fields.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the object")
	}
	return nil
}

// headerLine is a Header as the first line of a dump.
type headerLine struct {
	History int               `json:"havoq_history"` // the version of the JSON form
	Run     uint32            `json:"run"`
	Name    string            `json:"name"`
	Seed    uint64            `json:"seed"`
	Start   time.Time         `json:"start"`
	Info    map[string]string `json:"info,omitempty"`
}

// Dump writes the whole of r as JSON lines: its header, then its events. Like Reader.Err, an error of it says that the
// history goes on and cannot be read.
func Dump(w io.Writer, r *Reader) error {
	h := r.Header()
	head, err := json.Marshal(headerLine{1, h.Run, h.Name, h.Seed, h.Start.UTC(), h.Info})
	if err != nil {
		return fmt.Errorf("history: write JSON: %w", err)
	}
	if _, err := w.Write(append(head, '\n')); err != nil {
		return fmt.Errorf("history: write JSON: %w", err)
	}
	return errors.Join(WriteJSON(w, r.Events()), r.Err())
}

// Load makes a history at path out of what Dump wrote. Events whose at is 0 or out of order are an error: they would not be
// loaded as they are. After an error, the file at path holds the events before it.
func Load(in io.Reader, path string) (err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxHeaderLine)
	if !lines.Scan() {
		return fmt.Errorf("history: JSON line 1, the header: %w", cmp.Or(lines.Err(), io.ErrUnexpectedEOF))
	}
	var h headerLine
	if err := strict(lines.Bytes(), &h); err != nil {
		return fmt.Errorf("history: JSON line 1, the header: %w", err)
	}
	if h.History != 1 {
		return fmt.Errorf("history: JSON line 1: havoq_history is %d, and this havoq reads 1", h.History)
	}
	w, err := Create(path, Header{Run: h.Run, Name: h.Name, Seed: h.Seed, Start: h.Start, Info: h.Info})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	last := int64(1)
	for e, err := range readLines(lines, 1) {
		if err != nil {
			return err
		}
		if e.At < last {
			return fmt.Errorf("history: a %v event at %d ns comes after one at %d ns", e.Kind, e.At, last)
		}
		last = e.At
		w.Record(e)
	}
	return nil
}
