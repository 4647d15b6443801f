package nats

import (
	"fmt"
	"strings"
)

// maxName bounds the encoded name of a topic or group: stream names are file names.
const maxName = 200

// StreamName is the name of the stream that holds topic. Letters, digits, '-' and '_' stand for themselves; every other byte is
// written as '=' and two hexadecimal digits, so different topics never share a stream: "eu.orders" is "eu=2Eorders".
func StreamName(topic string) string { return escape(topic, false) }

// SubjectName is the subject that the stream of topic captures. It is the topic itself where that is a plain subject; other
// bytes, wildcards and the leading '$' or '_' of system subjects among them, are written as in StreamName.
func SubjectName(topic string) string {
	dots := !strings.HasPrefix(topic, ".") && !strings.HasSuffix(topic, ".") && !strings.Contains(topic, "..")
	s := escape(topic, dots)
	if strings.HasPrefix(s, "_") { // _INBOX
		s = "=5F" + s[1:]
	}
	return s
}

// ConsumerName is the name of the durable consumer of group, on the stream of its topic.
func ConsumerName(group string) string { return escape(group, false) }

func escape(s string, dots bool) string {
	plain := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || dots && c == '.'
	}
	var b strings.Builder
	for i := range len(s) {
		if plain(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "=%02X", s[i])
		}
	}
	return b.String()
}

// checkName refuses what cannot be a topic ("topic") or group ("group").
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("nats: the %s has no name", what)
	case len(escape(name, false)) > maxName:
		return fmt.Errorf("nats: the name of %s %.20q… is too long: at most %d bytes, where a special character counts as three",
			what, name, maxName)
	}
	return nil
}
