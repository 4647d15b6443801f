package main

import (
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// helpWidth is that of the narrowest terminal that people use.
const helpWidth = 79

// narrow makes the help of a command and of those below it fit a terminal. Paragraphs are filled; lines that are indented stay.
func narrow(c *cobra.Command) {
	if c.Parent() == nil {
		c.SetUsageTemplate(strings.ReplaceAll(c.UsageTemplate(), ".FlagUsages |", ".FlagUsagesWrapped 79 |"))
	}
	c.Long = fill(c.Long)
	for _, sub := range c.Commands() {
		narrow(sub)
	}
}

// fill wraps the paragraphs of a text, which empty and indented lines end.
func fill(text string) string {
	var out, paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			out = append(out, wrap(strings.Join(paragraph, " "), helpWidth, "\n"))
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' {
			end()
			out = append(out, line)
			continue
		}
		paragraph = append(paragraph, line)
	}
	end()
	return strings.Join(out, "\n")
}

// fold wraps a text for the terminal that w is, indenting what follows the first line; elsewhere a line stays one, for programs.
func fold(w io.Writer, text string, indent int) string {
	f, ok := w.(*os.File)
	if !ok {
		return text
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 2*indent+20 {
		return text
	}
	return wrap(text, columns-indent-1, "\n"+strings.Repeat(" ", indent))
}
