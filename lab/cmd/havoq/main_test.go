package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/havoqlab/havoq/lab/cluster"
)

func TestMain(m *testing.M) {
	cluster.Main()
	testscript.Main(m, map[string]func(){
		"havoq": func() {
			os.Exit(command(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":  exits,
			"glob":   glob,
			"listen": listen,
			"silent": silent,
		},
	})
}

// exits runs a command and compares its exit code: `exits 5 havoq run nonsense`; `exits 1|3 …` allows either.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGS...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		var exit interface{ ExitCode() int }
		if !asExit(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = string(rune('0' + exit.ExitCode()))
	}
	if !slices.Contains(strings.Split(args[0], "|"), code) {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// glob wants at least one file for each pattern.
func glob(ts *testscript.TestScript, neg bool, patterns []string) {
	for _, p := range patterns {
		if found, err := filepath.Glob(ts.MkAbs(p)); err != nil || (len(found) == 0) != neg {
			ts.Fatalf("%s: found %v (%v)", p, found, err)
		}
	}
}

// listen takes a port and writes port.yaml, a scenario that wants the same one.
func listen(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	source := strings.Replace(ts.ReadFile("smoke.yaml"), "nodes: 3", fmt.Sprintf("nodes: 3, port: %d", l.Addr().(*net.TCPAddr).Port), 1)
	ts.Check(os.WriteFile(ts.MkAbs("port.yaml"), []byte(source), 0o644))
}

// silent listens, accepts and never says anything, and writes its address into a file in the place of SILENT.
func silent(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			all = append(all, c)
		}
		for _, c := range all {
			_ = c.Close()
		}
	}()
	ts.Defer(func() { _ = l.Close(); <-accepted })
	source := strings.ReplaceAll(ts.ReadFile(args[0]), "SILENT", l.Addr().String())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(source), 0o644))
}
