package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// Its errors say what is wrong with the field, and quote nothing of the body: "is not there".
var (
	errNoField  = errors.New("is not there")
	errTwice    = errors.New("cannot be told, a field of its path is there more than once")
	errNotText  = errors.New("is not a string or a number")
	errNotUTF8  = errors.New("is not valid Unicode text")
	errMoreText = errors.New("cannot be read, something follows the JSON of the body")
)

// fieldOf returns the field of a JSON text at the end of path. All of the text is read: one that is cut has no ID, and where a
// field is there twice nobody can say which of them the application meant.
func fieldOf(body []byte, path []string) (string, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	value, err := walk(d, path)
	if err == nil || errors.Is(err, errNoField) { // what is missing in a broken text is missing because it is broken
		if _, end := d.Token(); end == nil {
			return "", errMoreText
		} else if !errors.Is(end, io.EOF) {
			err = end
		}
	}
	switch {
	case err == nil:
		return textOf(value)
	case errors.Is(err, errNoField), errors.Is(err, errTwice):
		return "", err
	default: // its text quotes the body
		return "", fmt.Errorf("cannot be read, the body is not JSON (at byte %d)", d.InputOffset())
	}
}

// walk reads the next value of d and returns what is at the end of path in it.
func walk(d *json.Decoder, path []string) (json.RawMessage, error) {
	if len(path) == 0 {
		var value json.RawMessage
		err := d.Decode(&value)
		return value, err
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return walkObject(d, path)
	case json.Delim('['):
		return walkArray(d, path)
	default:
		return nil, errNoField
	}
}

func walkObject(d *json.Decoder, path []string) (value json.RawMessage, err error) {
	found, missing := false, errNoField
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		if key != path[0] {
			if err := skip(d); err != nil {
				return nil, err
			}
			continue
		}
		if found {
			return nil, errTwice
		}
		found = true
		if value, missing = walk(d, path[1:]); missing != nil && !errors.Is(missing, errNoField) {
			return nil, missing
		}
	}
	return value, closed(d, missing)
}

func walkArray(d *json.Decoder, path []string) (value json.RawMessage, err error) {
	index, notIndex := strconv.ParseUint(path[0], 10, 32)
	missing := errNoField
	for i := uint64(0); d.More(); i++ {
		if notIndex != nil || i != index {
			if err := skip(d); err != nil {
				return nil, err
			}
			continue
		}
		if value, missing = walk(d, path[1:]); missing != nil && !errors.Is(missing, errNoField) {
			return nil, missing
		}
	}
	return value, closed(d, missing)
}

func skip(d *json.Decoder) error {
	var ignored json.RawMessage
	return d.Decode(&ignored)
}

// closed reads the end of an object or array.
func closed(d *json.Decoder, missing error) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	return missing
}

// textOf is the text of a JSON string, or of a number as it is written: a number of 20 digits stays what it is.
func textOf(value json.RawMessage) (string, error) {
	switch {
	case len(value) == 0:
		return "", errNoField
	case value[0] == '"':
		var text string
		// Unmarshal puts the replacement character for what is no text: two IDs would become one.
		if err := json.Unmarshal(value, &text); err != nil || !utf8.Valid(value) || bytes.ContainsRune([]byte(text), utf8.RuneError) {
			return "", errNotUTF8
		}
		return text, nil
	case value[0] == '-' || value[0] >= '0' && value[0] <= '9':
		return string(value), nil
	default:
		return "", errNotText
	}
}
