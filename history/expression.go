package history

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/havoqlab/havoq/queue"
)

const (
	// MaxID is the longest ID, in bytes, that an Expression gives.
	MaxID = 512
	// MaxIDBody is the longest body, in bytes, that an Expression looks into.
	MaxIDBody = 1 << 20

	maxExpression = 256 // bytes
	maxTerms      = 8
	maxPath       = 16 // fields
)

// ErrNoID is a message of which an Expression does not give an ID.
var ErrNoID = errors.New("no ID")

// Expression says which part of a message is its ID, in the user's own words:
//
//	id                  the message's own ID
//	key                 its key
//	header.order-id     the header of this name, upper and lower case as written; dots belong to the name
//	body                the whole body
//	body.order.id       a field of the body, which is JSON: a string, or a number as it is written there
//	body.items.0.id     an index of an array is a number from 0
//	header.tenant+key   several, joined by "+"; a "+" or "\" in one of them is written "\+" or "\\", so that two messages have
//	                    the same ID only if they have all parts in common
//
// The zero Expression gives no ID. An Expression may be used concurrently.
type Expression struct {
	text  string
	terms []term
}

// term is one part of the ID.
type term struct {
	text string // "body.order.id"
	part string // id, key, header, body
	name string // of the header
	path []string
}

// ParseExpression reads an ID expression.
func ParseExpression(text string) (Expression, error) {
	if len(text) > maxExpression {
		return Expression{}, fmt.Errorf("ID expression of %d bytes: at most %d are allowed", len(text), maxExpression)
	}
	texts := strings.Split(text, "+")
	if len(texts) > maxTerms {
		return Expression{}, fmt.Errorf("ID expression %q has %d parts: at most %d are allowed", text, len(texts), maxTerms)
	}
	e := Expression{text: text}
	for _, part := range texts {
		t, err := parseTerm(strings.TrimSpace(part))
		if err != nil {
			return Expression{}, fmt.Errorf("ID expression %q: %w", text, err)
		}
		e.terms = append(e.terms, t)
	}
	return e, nil
}

func parseTerm(text string) (term, error) {
	part, rest, dotted := strings.Cut(text, ".")
	t := term{text: text, part: part}
	switch {
	case text == "":
		return t, errors.New("a part is missing: write id, key, header.NAME, body or body.FIELD, joined by +")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return t, fmt.Errorf("%q: a part has no spaces in it, and is printable text", text)
	case part == "header" && rest == "":
		return t, fmt.Errorf("%q: the name of the header is missing, as in header.order-id", text)
	case part == "header":
		t.name = rest
	case part == "body" && dotted:
		t.path = strings.Split(rest, ".")
		return t, checkPath(t)
	case part == "body", (part == "id" || part == "key") && !dotted:
	case part == "id" || part == "key":
		return t, fmt.Errorf("%q: %s is a text and has no fields; write %s, or body.%s for a field of the body", text, part, part, rest)
	default:
		return t, fmt.Errorf("%q is not a part of a message%s", text, suggestTerm(part, rest))
	}
	return t, nil
}

func checkPath(t term) error {
	if len(t.path) > maxPath {
		return fmt.Errorf("%q goes %d fields deep: at most %d are allowed", t.text, len(t.path), maxPath)
	}
	for _, field := range t.path {
		if field == "" {
			return fmt.Errorf("%q: the name of a field is missing, as in body.order.id", t.text)
		}
	}
	return nil
}

// suggestTerm says what was perhaps meant by the unknown part.
func suggestTerm(part, rest string) string {
	meant := ""
	switch strings.ToLower(strings.Trim(part, "$")) {
	case "header", "headers", "h", "hdr", "property", "properties", "attribute", "attributes", "metadata":
		meant = "header." + rest
		if rest == "" {
			meant = "header.NAME"
		}
	case "body", "payload", "value", "data", "json", "content", "": // "": $.order.id
		meant = "body"
		if rest != "" {
			meant = "body." + rest
		}
	case "id", "message_id", "messageid", "message-id", "msgid", "msg_id", "msg-id", "uuid":
		meant = "id"
	case "key", "keys", "messagekey", "message_key", "message-key", "partitionkey":
		meant = "key"
	default:
		return ": write id, key, header.NAME, body or body.FIELD"
	}
	return fmt.Sprintf(", did you mean %q?", meant)
}

// String returns the text that was parsed.
func (e Expression) String() string { return e.text }

// Of returns the ID of m: not empty, and at most MaxID bytes. An error wraps ErrNoID and says what is missing; it never quotes
// the message.
func (e Expression) Of(m *queue.Message) (string, error) {
	if len(e.terms) == 0 {
		return "", fmt.Errorf("the ID expression is empty: %w", ErrNoID)
	}
	var joined strings.Builder
	for i, t := range e.terms {
		text, err := t.of(m)
		switch {
		case err != nil:
			return "", fmt.Errorf("ID expression %q: %s %w: %w", e.text, t.text, err, ErrNoID)
		case text == "":
			return "", fmt.Errorf("ID expression %q: %s is empty: %w", e.text, t.text, ErrNoID)
		case len(text) > MaxID:
			return "", fmt.Errorf("ID expression %q: %s has %d bytes, and an ID at most %d: %w", e.text, t.text, len(text), MaxID, ErrNoID)
		case len(e.terms) == 1:
			return text, nil
		}
		if i > 0 {
			joined.WriteByte('+')
		}
		writeEscaped(&joined, text)
	}
	if joined.Len() > MaxID {
		return "", fmt.Errorf("ID expression %q: all of it has %d bytes, and an ID at most %d: %w", e.text, joined.Len(), MaxID, ErrNoID)
	}
	return joined.String(), nil
}

// writeEscaped writes a part of an ID so that no "+" in it looks like the end of it.
func writeEscaped(b *strings.Builder, text string) {
	for i := range len(text) {
		if text[i] == '+' || text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
}

// of returns the part of m, or what is wrong with it: "is not there".
func (t *term) of(m *queue.Message) (string, error) {
	switch t.part {
	case "id":
		return m.ID, nil
	case "key":
		return m.Key, nil
	case "header":
		return onlyHeader(m, t.name)
	}
	if len(t.path) > 0 {
		if len(m.Body) > MaxIDBody {
			return "", fmt.Errorf("cannot be read, the body has %d bytes, of which at most %d are looked into", len(m.Body), MaxIDBody)
		}
		return fieldOf(m.Body, t.path)
	}
	if len(m.Body) > MaxID { // before a large body is copied
		return "", fmt.Errorf("has %d bytes, and an ID at most %d", len(m.Body), MaxID)
	}
	return string(m.Body), nil
}

// onlyHeader returns the header of this name, of which there must be one.
func onlyHeader(m *queue.Message, name string) (string, error) {
	value, found := "", false
	for _, h := range m.Headers {
		switch {
		case h.Key != name:
		case found:
			return "", errors.New("is there more than once")
		default:
			value, found = h.Value, true
		}
	}
	if found {
		return value, nil
	}
	for _, h := range m.Headers {
		if strings.EqualFold(h.Key, name) {
			return "", errors.New("is not there, but a header that differs in upper and lower case is")
		}
	}
	return "", errors.New("is not there")
}
