package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// elsewhere lists the examples that no script of testdata runs, each with the reason. Their flags are checked here.
var elsewhere = map[string]string{
	"havoq run":                    "CI runs every shipped scenario",
	"havoq run early-ack":          "CI runs every shipped scenario",
	"havoq run early-ack --seed 7": "CI runs every shipped scenario",
	"havoq run primary-broker-failure --set timing=full --role executor=Ada --yes": "it takes 14 minutes",
	"havoq bench 'nats://127.0.0.1:4222?replicas=1' --size 1KiB --for 30s":         "it needs that server",
}

// TestEveryExampleIsRun holds that each example in a command's help is a line of a script, which may add flags to it.
func TestEveryExampleIsRun(t *testing.T) {
	scripts := scriptLines(t)
	used := map[string]bool{}
	for _, c := range everyCommand(rootCommand(streams{strings.NewReader(""), io.Discard, io.Discard})) {
		if c.Runnable() && c.Example == "" && c.Name() != "completion" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, example := range examplesOf(c) {
			if elsewhere[example] != "" {
				used[example] = true
				checkFlags(t, example)
				continue
			}
			run := false
			for _, line := range scripts {
				run = run || line == example || strings.HasPrefix(line, example+" --")
			}
			if !run {
				t.Errorf("%s: no script in testdata runs the example %q", c.CommandPath(), example)
			}
		}
	}
	for example := range elsewhere {
		if !used[example] {
			t.Errorf("%q is no example any more", example)
		}
	}
}

func everyCommand(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, everyCommand(sub)...)
	}
	return all
}

func examplesOf(c *cobra.Command) (examples []string) {
	for line := range strings.SplitSeq(c.Example, "\n") {
		line, _, _ = strings.Cut(line, " #")
		if line = strings.TrimSpace(line); line != "" {
			examples = append(examples, line)
		}
	}
	return examples
}

// scriptLines are the commands of all scripts, without what checks them.
func scriptLines(t *testing.T) (lines []string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts:", err)
	}
	shell := regexp.MustCompile(`^sh -c '(.*)'$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			line, ok := strings.CutPrefix(line, "exec ")
			if !ok {
				continue
			}
			if m := shell.FindStringSubmatch(line); m != nil {
				line = strings.ReplaceAll(m[1], "''", "'")
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func checkFlags(t *testing.T, example string) {
	t.Helper()
	root := rootCommand(streams{strings.NewReader(""), io.Discard, io.Discard})
	words := strings.Fields(example)[1:]
	c, args, err := root.Find(words)
	if err == nil {
		err = c.ParseFlags(args)
	}
	if err != nil {
		t.Errorf("%q: %v", example, err)
	}
}

// TestHelpFitsATerminal holds the lines of every help to 80 columns.
func TestHelpFitsATerminal(t *testing.T) {
	for _, c := range everyCommand(rootCommand(streams{strings.NewReader(""), io.Discard, io.Discard})) {
		for line := range strings.SplitSeq(c.Long+"\n\n"+c.UsageString(), "\n") {
			if width(line) > 80 {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), width(line), line)
			}
		}
	}
}
