package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"short", 10, "short"},
		{"exactly10!", 10, "exactly10!"},
		{"longer than that", 6, "longer"},
		{"▁▂▃▄▅▆▇█", 3, "▁▂▃"},
		{"日本語", 6, "日本語"},
		{"日本語", 5, "日本"}, // half a letter does not fit
		{"日本語", 1, ""},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301e\u0301"},
		{"🚀🚀", 3, "🚀"},
		{"\x1b[31mred\x1b[0m", 3, "\x1b[31mred\x1b[0m"},
		{"\x1b[31mred\x1b[0m and more", 5, "\x1b[31mred\x1b[0m a\x1b[0m"},
		{"", 0, ""},
	} {
		if got := cut(c.line, c.columns); got != c.want {
			t.Errorf("cut(%q, %d) is %q, want %q", c.line, c.columns, got, c.want)
		}
	}
}

// A line never takes more columns than there are, and is never cut within a letter.
func FuzzCut(f *testing.F) {
	f.Add("sent 100/s 日本語 🚀 e\u0301", 7)
	f.Fuzz(func(t *testing.T, line string, columns int) {
		if columns < 0 || strings.ContainsRune(line, '\x1b') || !utf8.ValidString(line) {
			return
		}
		got := cut(line, columns)
		if width(got) > columns || !utf8.ValidString(got) || !strings.HasPrefix(line, got) {
			t.Errorf("cut(%q, %d) is %q", line, columns, got)
		}
	})
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a\nb\x1b[2Jc\td"); got != "a b [2Jc d" {
		t.Errorf("%q", got)
	}
}

func TestSparkline(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   string
	}{
		{nil, ""}, {[]float64{0, 0}, "▁▁"}, {[]float64{0, 50, 100}, "▁▄█"}, {[]float64{-5, 5}, "▁█"}, {[]float64{0.5}, "▄"},
	} {
		if got := sparkline(c.values); got != c.want {
			t.Errorf("sparkline(%v) is %q, want %q", c.values, got, c.want)
		}
	}
}
