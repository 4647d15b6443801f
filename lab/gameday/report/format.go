package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// notKnown is how a value that was not measured is shown. It is never shown as 0.
const notKnown = "not known"

func number(n int64) string { return criteria.Count.Format(float64(n)) }

// duration writes seconds for people; a negative time is not known.
func duration(seconds float64) string {
	if seconds < 0 {
		return notKnown
	}
	return strings.Replace(criteria.FormatSeconds(seconds), "us", "µs", 1)
}

func optional(seconds *float64) string {
	if seconds == nil {
		return notKnown
	}
	return duration(*seconds)
}

func size(bytes int64) string { return criteria.Bytes.Format(float64(bytes)) }

// since writes a time of the run: "12.34s".
func since(ns int64) string {
	s := float64(ns) / 1e9
	if s >= 60 {
		return fmt.Sprintf("%d:%05.2f", int(s)/60, s-float64(int(s)/60*60))
	}
	return strconv.FormatFloat(s, 'f', 2, 64) + "s"
}

func messages(n int64) string { return things(n, "message") }

func things(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// percent is the share of part in whole, with as many places as it takes to not show a few as none, or nearly all as all.
func percent(part, whole int64) string {
	if whole == 0 {
		return ""
	}
	share := float64(part) / float64(whole) * 100
	for places := range 7 {
		text := strconv.FormatFloat(share, 'f', places, 64)
		if v, _ := strconv.ParseFloat(text, 64); (v != 0 || part == 0) && (v != 100 || part == whole) && (places > 0 || share >= 10 || share == 0) {
			return text + " %"
		}
	}
	return "< 0.000001 %"
}

// clip cuts a text to at most max characters, and shows that it did.
func clip(text string, max int) string {
	if utf8.RuneCountInString(text) <= max {
		return text
	}
	return string([]rune(text)[:max-1]) + "…"
}

// sentence begins with a capital and ends with a stop. An expression at its beginning ("lost == 0: …") stays as it is.
func sentence(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	expression := len(words) > 1 && strings.ContainsAny(words[1], "=<>") || strings.ContainsAny(words[0], "._(")
	if first, n := utf8.DecodeRuneInString(text); !expression {
		text = strings.ToUpper(string(first)) + text[n:]
	}
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}
