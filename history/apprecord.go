package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/havoqlab/havoq/queue"
)

// The format of an application's records, version 1: JSON lines, in a file (App, ReadAppRecords) or in the body of a POST to a
// Collector (application/x-ndjson, at most 1 MiB). Each line is one object, at most 64 KiB, with these keys and no others:
//
//	what     begin, processed, sending, sent or end
//	app      who writes: a name that no other process and no other start of this process has; 1 to 64 printable ASCII characters
//	seq      0 for begin, then each line of this app has the next number. A number that is missing is a line that was lost: an
//	         overflow, a failed write, a batch that did not arrive. One that comes again is the same line, sent again
//	at       when it happened, by the writer's clock: RFC 3339, with up to nine digits of a second
//	version  begin: 1
//	client   begin, processed, sending, sent: a name for reports, up to 512 bytes
//	group    begin, processed: the group of consumers that did the work; required in processed
//	topic    begin, processed: where messages come from; sending, sent: where they go
//	id       processed, sending, sent: the message's, 1 to 512 bytes, as the queue's readers see it
//	effect   processed: what the work did ("invoice 17"), up to 4096 bytes; two different ones of a message are two effects
//	outcome  sent: ok, failed (the broker proved that it did not take it) or unknown (anything else)
//	detail   sent: the error, up to 4096 bytes
//
// Text is UTF-8. A writer that ends in order writes end last; one that was killed does not, and its last line may be torn.
const (
	appVersion  = 1
	maxAppName  = 512
	maxAppText  = 4096
	maxAppWho   = 64
	maxAppLine  = 64 << 10
	maxAppBatch = 1 << 20
)

// AppWhat says what an AppRecord tells.
type AppWhat string

// The kinds of records. They are part of the line format, but for AppGap: a line does not say that others are missing, its number
// does.
const (
	AppBegin     AppWhat = "begin"
	AppProcessed AppWhat = "processed" // the work for a message is done
	AppSending   AppWhat = "sending"   // a message is about to be sent
	AppSent      AppWhat = "sent"      // what came of it
	AppEnd       AppWhat = "end"
	AppGap       AppWhat = "gap" // made by who reads: Count lines of App are missing before the next one
)

// AppRecord is what an application tells of its own work, by the IDs that its messages have. Which fields count depends on What;
// the others are zero.
type AppRecord struct {
	What    AppWhat
	App     string
	Seq     uint64
	At      time.Time // by the application's clock
	Client  string
	Group   string
	Topic   string
	ID      string
	Effect  string
	Outcome queue.Outcome
	Detail  string
	Count   uint64 // AppGap
}

// appLine is an AppRecord as a line of JSON.
type appLine struct {
	What    AppWhat   `json:"what"`
	App     string    `json:"app"`
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Version int       `json:"version,omitempty"`
	Client  string    `json:"client,omitempty"`
	Group   string    `json:"group,omitempty"`
	Topic   string    `json:"topic,omitempty"`
	ID      string    `json:"id,omitempty"`
	Effect  string    `json:"effect,omitempty"`
	Outcome string    `json:"outcome,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// AppendLine appends the record's line, with its line end, to b. A record that the format does not allow is an error.
func (r *AppRecord) AppendLine(b []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return b, err
	}
	l := appLine{
		What: r.What, App: r.App, Seq: r.Seq, At: r.At.UTC(), Client: r.Client, Group: r.Group, Topic: r.Topic,
		ID: r.ID, Effect: r.Effect, Detail: r.Detail,
	}
	switch r.What {
	case AppBegin:
		l.Version = appVersion
	case AppSent:
		l.Outcome = r.Outcome.String()
	}
	text, err := json.Marshal(l)
	if err != nil {
		return b, err
	}
	return append(append(b, text...), '\n'), nil
}

// ParseAppRecord reads one line. It is strict: unknown keys, keys that do not belong to this kind of record, and values out of
// their bounds are errors.
func ParseAppRecord(line []byte) (AppRecord, error) {
	if len(line) > maxAppLine {
		return AppRecord{}, fmt.Errorf("a line of %d bytes: %d are allowed", len(line), maxAppLine)
	}
	var l appLine
	if err := strict(line, &l); err != nil {
		return AppRecord{}, err
	}
	r := AppRecord{
		What: l.What, App: l.App, Seq: l.Seq, At: l.At, Client: l.Client, Group: l.Group, Topic: l.Topic,
		ID: l.ID, Effect: l.Effect, Detail: l.Detail,
	}
	if err := l.exact(&r); err != nil {
		return AppRecord{}, err
	}
	if err := r.check(); err != nil {
		return AppRecord{}, err
	}
	return r, nil
}

// exact checks and reads the keys that only some records have.
func (l *appLine) exact(r *AppRecord) (err error) {
	switch {
	case l.What == AppBegin && l.Version != appVersion:
		return fmt.Errorf("version %d, and this havoq reads version %d", l.Version, appVersion)
	case l.What != AppBegin && l.Version != 0:
		return fmt.Errorf("a version in a %q record", l.What)
	case l.What == AppSent:
		r.Outcome, err = parseOutcome(l.Outcome)
		return err
	case l.Outcome != "":
		return fmt.Errorf("an outcome in a %q record", l.What)
	}
	return nil
}

// texts returns the keys of texts that a line of this kind may have.
func (w AppWhat) texts() (keys string, known bool) {
	switch w {
	case AppBegin:
		return "client group topic", true
	case AppProcessed:
		return "client group topic id effect", true
	case AppSending:
		return "client topic id", true
	case AppSent:
		return "client topic id detail", true
	case AppEnd:
		return "", true
	default:
		return "", false
	}
}

// check says why a record cannot be a line.
func (r *AppRecord) check() error {
	allowed, known := r.What.texts()
	if !known {
		return fmt.Errorf("unknown kind of record %q", r.What)
	}
	if !printable(r.App) {
		return fmt.Errorf("app %.80q is not 1 to %d printable ASCII characters", r.App, maxAppWho)
	}
	if y := r.At.Year(); y < 1970 || y > 2261 {
		return fmt.Errorf("at %v is out of range", r.At)
	}
	if (r.Seq == 0) != (r.What == AppBegin) {
		return fmt.Errorf("a %q record with seq %d: begin has 0, and nothing else has", r.What, r.Seq)
	}
	if r.Count != 0 || r.Outcome > queue.Failed || r.Outcome != 0 && r.What != AppSent {
		return fmt.Errorf("a %q record with a count or an outcome", r.What)
	}
	for _, t := range []struct {
		key, text string
		most      int
	}{
		{"client", r.Client, maxAppName}, {"group", r.Group, maxAppName}, {"topic", r.Topic, maxAppName},
		{"id", r.ID, MaxID}, {"effect", r.Effect, maxAppText}, {"detail", r.Detail, maxAppText},
	} {
		switch {
		case t.text == "":
		case !strings.Contains(allowed, t.key):
			return fmt.Errorf("a %s in a %q record", t.key, r.What)
		case len(t.text) > t.most:
			return fmt.Errorf("the %s has %d bytes: %d are allowed", t.key, len(t.text), t.most)
		case !utf8.ValidString(t.text):
			return fmt.Errorf("the %s is not UTF-8", t.key)
		}
	}
	switch {
	case strings.Contains(allowed, "id") && r.ID == "":
		return errors.New("no id")
	case r.What == AppProcessed && r.Group == "":
		return errors.New("no group: nobody could say whose work it is")
	}
	return nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxAppWho
}
