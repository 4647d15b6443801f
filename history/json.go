package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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

// ReadJSON reads what WriteJSON wrote. It is strict: an unknown field or word, a field of the wrong type, text that is not UTF-8
// and a line longer than half a megabyte are errors that name the line, and end the loop.
func ReadJSON(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		lines := newLines(r, maxLine)
		for {
			e, err := lines.event()
			if errors.Is(err, io.EOF) || !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// lines reads JSON lines and counts them.
type lines struct {
	scan *bufio.Scanner
	n    int // of the last line, from 1
}

func newLines(r io.Reader, longest int) *lines {
	l := &lines{scan: bufio.NewScanner(r)}
	l.scan.Buffer(make([]byte, 0, 4096), longest)
	return l
}

// next returns the next line that is not blank, or io.EOF. Its errors do not name the line yet.
func (l *lines) next(longest int) ([]byte, error) {
	for l.scan.Scan() {
		l.n++
		b := l.scan.Bytes()
		switch {
		case l.scan.Err() != nil: // this is what was read of a line
			return nil, l.scan.Err()
		case len(b) > longest:
			return nil, tooLong(longest)
		case len(bytes.TrimSpace(b)) == 0:
			continue
		case !utf8.Valid(b):
			return nil, errors.New("it is not UTF-8: take the lines as havoq history dump wrote them, or convert them")
		}
		return b, nil
	}
	if err := l.scan.Err(); err != nil {
		l.n++
		if errors.Is(err, bufio.ErrTooLong) {
			err = tooLong(longest)
		}
		return nil, err
	}
	return nil, io.EOF
}

func tooLong(longest int) error {
	return fmt.Errorf("it is longer than %d bytes, and no line of a history is: make the lines with havoq history dump", longest)
}

// wrong says on which line something is wrong.
func (l *lines) wrong(err error) error { return fmt.Errorf("history: JSON line %d: %w", l.n, err) }

// event returns the next event, or io.EOF.
func (l *lines) event() (Event, error) {
	b, err := l.next(maxLine)
	switch {
	case errors.Is(err, io.EOF):
		return Event{}, err
	case err != nil:
		return Event{}, l.wrong(err)
	}
	e, err := fromJSON(b)
	if err == nil {
		return e, nil
	}
	var h headerLine
	if strict(b, &h) == nil && h.History != 0 {
		err = errors.New("a second header: these are the lines of two histories, take them apart here")
	}
	return Event{}, l.wrong(err)
}

func toLine(e *Event) *line {
	l := &line{
		Kind: e.Kind.String(), At: e.At, Back: e.Back, Attempt: e.Attempt, Intended: e.Intended,
		Ack: e.Ack, Duplicate: e.Duplicate, Partition: e.Partition, Offset: e.Offset, Claim: e.Claim,
		Client: text(e.Client), Group: text(e.Group), Name: text(e.Name), Node: text(e.Node), Detail: cut(text(e.Detail)),
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

// text makes s what JSON can carry, and no longer than a history can.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return cut(validText(s))
}

func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func validInfo(info map[string]string) map[string]string {
	valid := make(map[string]string, len(info))
	for _, key := range sortedKeys(info) {
		valid[validText(key)] = validText(info[key])
	}
	return valid
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

// jsonVersion is that of the JSON form. A reader refuses every other one.
const jsonVersion = 1

// headerLine is a Header as the first line of a dump.
type headerLine struct {
	History int               `json:"havoq_history"` // jsonVersion
	Run     uint32            `json:"run"`
	Name    string            `json:"name"`
	Seed    uint64            `json:"seed"`
	Start   time.Time         `json:"start"`
	Info    map[string]string `json:"info,omitempty"`
}

// Part is the key in the Info of a history that holds only some of the events of another: which ones, in words. Nobody can judge
// it as if it were whole.
const Part = "part"

// Dump writes the whole of r as JSON lines: its header, then its events. Like Reader.Err, an error of it says that the
// history goes on and cannot be read.
func Dump(w io.Writer, r *Reader) error { return dump(w, r, r.Header().Info, r.Events()) }

// DumpPart is Dump of the events that keep wants. part says in words which these are: it stays in the header, under [Part].
func DumpPart(w io.Writer, r *Reader, part string, keep func(*Event) bool) error {
	info := maps.Clone(r.Header().Info)
	if info == nil {
		info = make(map[string]string, 1)
	}
	info[Part] = strings.TrimPrefix(info[Part]+", "+part, ", ")
	return dump(w, r, info, func(yield func(Event) bool) {
		for e := range r.Events() {
			if keep(&e) && !yield(e) {
				return
			}
		}
	})
}

func dump(w io.Writer, r *Reader, info map[string]string, events iter.Seq[Event]) error {
	h := r.Header()
	head, err := json.Marshal(headerLine{jsonVersion, h.Run, validText(h.Name), h.Seed, h.Start.UTC(), validInfo(info)})
	if err != nil {
		return fmt.Errorf("history: write JSON: %w", err)
	}
	if _, err := w.Write(append(head, '\n')); err != nil {
		return fmt.Errorf("history: write JSON: %w", err)
	}
	return errors.Join(WriteJSON(w, events), r.Err())
}

// Load makes a history at path out of what Dump wrote. Events whose at is 0 or out of order are an error: they would not be
// loaded as they are. After an error, the file at path, if it was made, holds the events before it.
func Load(in io.Reader, path string) (err error) {
	lines := newLines(in, maxHeaderLine)
	h, err := lines.header()
	if err != nil {
		return err
	}
	w, err := Create(path, h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	last := int64(1)
	for {
		e, err := lines.event()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case e.At < last:
			return lines.wrong(fmt.Errorf("a %v event at %d ns comes after one at %d ns: put the lines in the order of their times",
				e.Kind, e.At, last))
		}
		last = e.At
		w.Record(e)
	}
}

// header returns the header of a dump, its first line.
func (l *lines) header() (Header, error) {
	b, err := l.next(maxHeaderLine)
	if errors.Is(err, io.EOF) {
		l.n, err = 1, io.ErrUnexpectedEOF
	}
	var h headerLine
	if err == nil {
		h, err = parseHeader(b)
	}
	if err != nil {
		return Header{}, l.wrong(fmt.Errorf("the header: %w", err))
	}
	return Header{Run: h.Run, Name: h.Name, Seed: h.Seed, Start: h.Start, Info: h.Info}, nil
}

// parseHeader reads the version first: another one may have other fields.
func parseHeader(b []byte) (h headerLine, err error) {
	var version struct {
		History *int `json:"havoq_history"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return h, err
	}
	switch {
	case version.History == nil:
		return h, errors.New("havoq_history is missing: a history as JSON lines begins with the header that havoq history dump writes")
	case *version.History != jsonVersion:
		return h, fmt.Errorf("havoq_history is %d and this havoq reads %d: use the havoq that wrote it, or a newer one",
			*version.History, jsonVersion)
	}
	return h, strict(b, &h)
}
