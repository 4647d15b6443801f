package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/scenarios"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fenced returns the README's blocks of a language.
func fenced(text, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// TestReadmeScenario reads the README's own scenario as a newcomer would save it. The CI script runs it.
func TestReadmeScenario(t *testing.T) {
	blocks := fenced(readme(t), "yaml")
	if len(blocks) != 1 {
		t.Fatalf("%d yaml blocks in the README, want the one scenario", len(blocks))
	}
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(blocks[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := load(file, nil); err != nil {
		t.Error(err)
	}
}

// TestReadmeCommands holds that every command which the README names exists, and that it names every shipped scenario.
func TestReadmeCommands(t *testing.T) {
	text := readme(t)
	commands := regexp.MustCompile("`havoq ([a-z]+)").FindAllStringSubmatch(text, -1)
	if len(commands) < 6 {
		t.Fatalf("only %d commands found in the README", len(commands))
	}
	for _, m := range commands {
		args := []string{m[1], "--help"}
		if code := command(context.Background(), args, streams{strings.NewReader(""), io.Discard, io.Discard}); code != exitPass {
			t.Errorf("the README names havoq %s, which exits %d", m[1], code)
		}
	}
	for _, name := range scenarios.Names() {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the README does not name the scenario %s", name)
		}
	}
	if n := strings.Count(text, "\n"); n > 250 {
		t.Errorf("the README has %d lines, more than 250", n)
	}
}
