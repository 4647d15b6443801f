package main

import (
	"strings"
	"unicode"
)

// cut shortens a line to the terminal's columns, so that a redraw knows how many rows it took. Escape sequences have no width.
func cut(line string, columns int) string {
	used, escape, painted := 0, false, false
	for i, c := range line {
		switch {
		case c == '\x1b':
			escape, painted = true, true
		case escape:
			escape = c != 'm'
		default:
			if used += runeWidth(c); used <= columns {
				continue
			}
			if painted {
				return line[:i] + "\x1b[0m"
			}
			return line[:i]
		}
	}
	return line
}

// width is how many columns of a terminal a text without escape sequences takes.
func width(text string) (columns int) {
	for _, c := range text {
		columns += runeWidth(c)
	}
	return columns
}

// runeWidth is 2 for the wide letters of East Asia and for pictures, 0 for what stands on the letter before, else 1. In doubt it
// is 2: a line that is too short looks better than one that wraps.
func runeWidth(c rune) int {
	switch {
	case unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case c >= 0x1100 && c <= 0x115f, c >= 0x2e80 && c <= 0xa4cf, c >= 0xac00 && c <= 0xd7a3, c >= 0xf900 && c <= 0xfaff,
		c >= 0xfe30 && c <= 0xfe6f, c >= 0xff00 && c <= 0xff60, c >= 0xffe0 && c <= 0xffe6, c >= 0x1f000 && c <= 0x1faff,
		c >= 0x20000 && c <= 0x3fffd:
		return 2
	default:
		return 1
	}
}

// oneLine makes what others wrote fit for a region that is redrawn: no line breaks, no control characters.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
}
