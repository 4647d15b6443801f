package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

// person is whom havoq asks on the terminal, one question at a time.
type person struct {
	in    io.Reader
	out   io.Writer
	lines chan string // nil: nothing was asked yet; closed: there are no more
}

// findPerson returns nil if nobody is there: what asks then says so.
func findPerson(std streams) *person {
	f, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &person{in: f, out: std.err}
}

// read passes lines on. A read from a terminal cannot be given up, and Ctrl-C at a question must end the run: so it has a
// goroutine of its own, from the first question to the end of the process.
func (p *person) read() {
	defer close(p.lines)
	for s := bufio.NewScanner(p.in); s.Scan(); {
		p.lines <- strings.TrimSpace(s.Text())
	}
}

func (p *person) ask(ctx context.Context, question string) (string, error) {
	if p.lines == nil { // not before: a process in the background is stopped when it reads from its terminal
		p.lines = make(chan string)
		go p.read()
	}
	fmt.Fprint(p.out, question)
	select {
	case line, ok := <-p.lines:
		if !ok {
			return "", fmt.Errorf("no answer: the input has ended: %w", io.ErrUnexpectedEOF)
		}
		return line, nil
	case <-ctx.Done():
		fmt.Fprintln(p.out)
		return "", context.Cause(ctx)
	}
}

// confirmer is how prerequisites are confirmed. Without a person, and without --yes, there is nobody to ask, and it is nil.
func confirmer(yes bool, p *person) func(context.Context, string) (bool, error) {
	switch {
	case yes:
		return func(context.Context, string) (bool, error) { return true, nil }
	case p == nil:
		return nil
	}
	return func(ctx context.Context, question string) (bool, error) {
		line, err := p.ask(ctx, fmt.Sprintf("Prerequisite: %s. Does it hold? [y/N] ", question))
		if err != nil {
			return false, err
		}
		line = strings.ToLower(line)
		return line == "y" || line == "yes", nil
	}
}

// askRoles fills the roles that nobody plays, in a run that asks a person anyway. An empty answer leaves a role empty.
func askRoles(ctx context.Context, p *person, s *scenario.Scenario, given map[string]string) (map[string]string, error) {
	roles := maps.Clone(given)
	asks := slices.ContainsFunc(s.Prerequisites, func(q scenario.Prerequisite) bool { return q.Confirm != "" && q.Applies(s.Timing) })
	if p == nil || !asks {
		return roles, nil
	}
	if roles == nil {
		roles = map[string]string{}
	}
	for _, role := range slices.Sorted(maps.Keys(s.Roles)) {
		if s.Roles[role] != "" || roles[role] != "" {
			continue
		}
		name, err := p.ask(ctx, fmt.Sprintf("Who is the %s? [nobody] ", role))
		if err != nil {
			return nil, fmt.Errorf("ask who is the %s: %w", role, err)
		}
		roles[role] = name
	}
	return roles, nil
}
