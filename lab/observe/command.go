package observe

import (
	"bufio"
	"bytes"
	"context"
	"strings"

	"github.com/havoqlab/havoq/lab/program"
)

// Command lists the lines that a program prints. Empty lines are passed over.
type Command struct {
	Argv []string
	Dir  string
}

var _ Lister = Command{}

// List implements Lister.
func (l Command) List(ctx context.Context, found func(id string) error) error {
	out, err := program.Output(ctx, program.Config{Name: l.Argv[0], Argv: l.Argv, Dir: l.Dir}, maxListing)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if id := strings.TrimSpace(lines.Text()); id != "" {
			if err := found(short(id)); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}
