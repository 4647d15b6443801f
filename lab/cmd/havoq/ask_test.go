package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

func answering(text string) (*person, *bytes.Buffer) {
	var out bytes.Buffer
	return &person{in: strings.NewReader(text), out: &out}, &out
}

func TestConfirm(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "yesterday\n": false} {
		p, out := answering(answer)
		got, err := confirmer(false, p)(t.Context(), "the pager is off")
		if err != nil || got != want {
			t.Errorf("%q: %v, %v", answer, got, err)
		}
		if !strings.Contains(out.String(), "the pager is off. Does it hold? [y/N]") {
			t.Errorf("asked %q", out)
		}
	}
	p, _ := answering("")
	if _, err := confirmer(false, p)(t.Context(), "x"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("at the end of the input: %v", err)
	}
	if confirmer(false, nil) != nil {
		t.Error("somebody to ask where nobody is")
	}
	if ok, err := confirmer(true, nil)(t.Context(), "x"); !ok || err != nil {
		t.Error("--yes does not confirm")
	}
}

// Ctrl-C at a question ends it, although nobody can give up the reading of a terminal.
func TestInterruptAtAQuestion(t *testing.T) {
	in, typing := io.Pipe()
	defer typing.Close()
	p := &person{in: in, out: io.Discard}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gameday.ErrInterrupted)
	if _, err := confirmer(false, p)(ctx, "x"); !errors.Is(err, gameday.ErrInterrupted) {
		t.Errorf("%v", err)
	}
}

// Roles are asked for where a person is asked anyway, and only those that nobody plays.
func TestAskRoles(t *testing.T) {
	s := &scenario.Scenario{
		Timing: "full",
		Roles:  map[string]string{"executor": "", "observer": "", "recovery": "Alan", "scribe": ""},
		Prerequisites: []scenario.Prerequisite{
			{Check: "cluster.nodes >= 3"}, {Confirm: "the pager is off", Timing: "full"},
		},
	}
	p, out := answering("Ada\n\n")
	got, err := askRoles(t.Context(), p, s, map[string]string{"scribe": "Mary"})
	want := map[string]string{"executor": "Ada", "observer": "", "scribe": "Mary"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("roles %v, %v", got, err)
	}
	if asked := out.String(); asked != "Who is the executor? [nobody] Who is the observer? [nobody] " {
		t.Errorf("asked %q", asked)
	}
	s.Timing = "quick"
	p, out = answering("")
	if _, err := askRoles(t.Context(), p, s, nil); err != nil || out.Len() > 0 {
		t.Errorf("asked %q, %v", out, err)
	}
}
