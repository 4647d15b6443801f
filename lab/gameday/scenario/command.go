package scenario

import (
	"errors"
	"fmt"
	"strings"
)

// shellSigns mean something to a shell, and nothing without one.
const shellSigns = "|&;<>$`(){}*?~#"

// Argv splits the probe's command into a program and its arguments: at spaces, with '…' and "…" for arguments with spaces
// and \ for the next character. There is no shell: what only a shell understands is an error instead of an argument that
// nobody meant. A shell is asked for by name: sh -c 'a | b'.
func (p Probe) Argv() ([]string, error) {
	var (
		argv   []string
		word   strings.Builder
		inWord bool
		quote  byte
	)
	in := p.Command
	for i := 0; i < len(in); i++ {
		c := in[i]
		switch {
		case c == '\\' && quote != '\'':
			if i++; i == len(in) {
				return nil, errors.New(`a \ at the end of the command: remove it`)
			}
			word.WriteByte(in[i])
			inWord = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				argv = append(argv, word.String())
				word.Reset()
				inWord = false
			}
		case strings.IndexByte(shellSigns, c) >= 0:
			return nil, fmt.Errorf("%q is a shell's sign, and there is no shell: quote it, or write sh -c '…'", c)
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %q is not closed", quote)
	}
	if inWord {
		argv = append(argv, word.String())
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("an empty command: name a program")
	}
	return argv, nil
}
