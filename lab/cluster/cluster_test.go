//go:build linux || darwin

package cluster_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/lab/cluster"
)

func TestFormation(t *testing.T) {
	var seen states
	began := time.Now()
	dir := filepath.Join(t.TempDir(), `a "dir" of $HOME, ünlike others`)
	c := start(t, cluster.Config{Dir: dir, Command: []string{os.Args[0]}, OnState: seen.on})
	took := time.Since(began)
	t.Logf("formed in %s, memory %v", took, c.RSS())
	if took > 20*time.Second { // 1 to 2 s on an idle machine; an election that must be repeated costs up to 9 s
		t.Errorf("formation took %s", took)
	}
	if got := c.Nodes(); !slices.Equal(got, []string{"n1", "n2", "n3"}) {
		t.Errorf("nodes %v", got)
	}
	leader, err := c.Leader(bounded(t, 5*time.Second), "")
	if err != nil || !slices.Contains(c.Nodes(), leader) {
		t.Errorf("leader %q, %v", leader, err)
	}
	for _, n := range c.Nodes() {
		if s := c.State(n); s != cluster.Up {
			t.Errorf("%s is %s", n, s)
		}
		if size := c.RSS()[n]; size < 5<<20 || size > 400<<20 {
			t.Errorf("%s has %d bytes", n, size)
		}
	}
	if !strings.HasPrefix(c.URL(), "nats://127.0.0.1:") || strings.Count(c.URL(), "127.0.0.1") != 3 {
		t.Errorf("URL %s", c.URL())
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := c.Start(t.Context(), "n1"); !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("Start after Close: %v", err)
	}
	for _, n := range c.Nodes() {
		var got []string
		for _, s := range seen.list() {
			if strings.HasPrefix(s, n) {
				got = append(got, strings.Fields(s)[1])
			}
		}
		if !slices.Equal(got, []string{"starting", "up", "down"}) {
			t.Errorf("%s went %v", n, got)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	tests := []struct {
		name string
		cfg  cluster.Config
		want []string
	}{
		{"no folder", cluster.Config{}, []string{"Config.Dir is empty"}},
		{"folder cannot be made", cluster.Config{Dir: filepath.Join(file, "x")}, []string{file, "choose one that can be written"}},
		{"read-only folder", cluster.Config{Dir: "/proc/self"}, []string{"/proc/self/cluster.lock", "choose one that can be written"}},
		{"one node", cluster.Config{Dir: t.TempDir(), Nodes: 1}, []string{"1 nodes: give 2 to 5", "package broker"}},
		{"port taken", cluster.Config{Dir: t.TempDir(), Port: port}, []string{"port " + strconv.Itoa(port) + " (clients of n1)", "choose another Config.Port"}},
		{"a later port taken", cluster.Config{Dir: t.TempDir(), Port: port - 4}, []string{"choose another Config.Port"}},
		{"port too high", cluster.Config{Dir: t.TempDir(), Port: 65530}, []string{"65538", "highest is 65535"}},
		{"no executable", cluster.Config{Dir: t.TempDir(), Command: []string{"/nonexistent/havoq"}}, []string{"/nonexistent/havoq", "no such file"}},
		{"another executable", cluster.Config{Dir: t.TempDir(), Command: []string{"true"}}, []string{"did not become a", "cluster.Main()"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := cluster.Start(bounded(t, 20*time.Second), tt.cfg)
			if err == nil {
				t.Fatal("started", c.URL(), c.Close(context.Background()))
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestFolderOfAnother(t *testing.T) {
	dir := t.TempDir()
	c := start(t, cluster.Config{Dir: dir})
	_, err := cluster.Start(bounded(t, 10*time.Second), cluster.Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "in use by another cluster") {
		t.Errorf("two clusters in one folder: %v", err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = cluster.Start(bounded(t, 10*time.Second), cluster.Config{Dir: dir, Nodes: 4})
	if err == nil || !strings.Contains(err.Error(), "3 nodes, not 4") {
		t.Errorf("another number of nodes: %v", err)
	}
}

func TestExecutableWithoutMain(t *testing.T) {
	t.Run("ends", func(t *testing.T) {
		t.Setenv(roleEnv, "no-main")
		_, err := cluster.Start(bounded(t, 30*time.Second), cluster.Config{Dir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), "call cluster.Main() first in main or TestMain") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("starts a cluster", func(t *testing.T) {
		dir := t.TempDir()
		t.Setenv(roleEnv, "no-main-start")
		t.Setenv("CLUSTER_TEST_DIR", dir)
		_, err := cluster.Start(bounded(t, 30*time.Second), cluster.Config{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "call cluster.Main() first in main or TestMain") {
			t.Errorf("error %v", err)
		}
		inner, err := os.ReadFile(filepath.Join(dir, "child-error"))
		if err != nil || !strings.Contains(string(inner), "must not start another") {
			t.Errorf("the child's own Start: %q, %v", inner, err)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		t.Setenv(roleEnv, "silent")
		_, err := cluster.Start(bounded(t, 3*time.Second), cluster.Config{Dir: t.TempDir()})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestNames(t *testing.T) {
	c := start(t, cluster.Config{})
	ctx := bounded(t, 20*time.Second)
	for _, tt := range []struct{ target, want string }{
		{"n7", `unknown target "n7" (known: n1, n2, n3, leader, follower, all), did you mean "n1"?`},
		{"leeder", `did you mean "leader"?`},
		{"kafka", `unknown target "kafka"`},
	} {
		if _, err := c.Resolve(ctx, "", tt.target); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Resolve(%q): %v", tt.target, err)
		}
	}
	if _, err := c.Kill(ctx, "n4"); err == nil || !strings.Contains(err.Error(), `unknown node "n4"`) {
		t.Errorf("Kill(n4): %v", err)
	}
	if _, err := c.Leader(ctx, "NONE"); !errors.Is(err, cluster.ErrNoStream) {
		t.Errorf("Leader(NONE): %v", err)
	}
	all, err := c.Resolve(ctx, "", "all")
	if err != nil || len(all) != 3 {
		t.Errorf("all: %v, %v", all, err)
	}
	leader, err := c.Resolve(ctx, "", "leader")
	if err != nil {
		t.Fatal(err)
	}
	follower, err := c.Resolve(ctx, "", "follower")
	if err != nil || len(follower) != 1 || slices.Equal(leader, follower) {
		t.Errorf("leader %v, follower %v, %v", leader, follower, err)
	}
	for verb, act := range map[string]func(context.Context, string) (string, error){"start": c.Start, "resume": c.Resume, "recover": c.RecoverBroker} {
		if evidence, err := act(ctx, "n1"); err == nil {
			t.Errorf("%s of a node that is up: %s", verb, evidence)
		}
	}
}

// A free port that was found can be taken before the node listens on it: then the cluster forms on others.
func TestOtherPorts(t *testing.T) {
	dir := t.TempDir()
	stolen := make(chan net.Listener, 1)
	go func() {
		defer close(stolen)
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
			conf, err := os.ReadFile(filepath.Join(dir, "n1.conf"))
			_, rest, ok := strings.Cut(string(conf), "listen: \"")
			if err != nil || !ok {
				continue
			}
			addr, _, _ := strings.Cut(rest, "\"")
			if l, err := net.Listen("tcp", addr); err == nil {
				stolen <- l
			}
			return
		}
	}()
	var seen states
	c, err := cluster.Start(bounded(t, time.Minute), cluster.Config{Dir: dir, OnState: seen.on})
	thief := <-stolen
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if thief == nil {
		t.Fatal("the port could not be taken in time: nothing is shown")
	}
	defer thief.Close()
	if strings.Contains(c.URL(), thief.Addr().String()) {
		t.Errorf("%s has the stolen port", c.URL())
	}
	if !slices.ContainsFunc(seen.list(), func(s string) bool { return strings.HasPrefix(s, "n1 down") }) {
		t.Errorf("no second attempt in %q", seen.list())
	}
}

// Close does not wait for an act: the act gives up.
func TestCloseEndsAnAct(t *testing.T) {
	c := start(t, cluster.Config{})
	for _, n := range []string{"n1", "n2"} {
		if _, err := c.Kill(bounded(t, 20*time.Second), n); err != nil {
			t.Fatal(err)
		}
	}
	started := make(chan error, 1)
	go func() {
		_, err := c.Start(bounded(t, time.Minute), "n1") // without a quorum it takes its time
		started <- err
	}()
	for c.State("n1") != cluster.Starting {
		select {
		case err := <-started:
			t.Fatal("the act was over before Close: ", err)
		case <-time.After(time.Millisecond):
		}
	}
	began := time.Now()
	if err := c.Close(bounded(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Close took %s", took)
	}
	if err := <-started; !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("the act: %v", err)
	}
}

// A cluster that gets no leader in time is an error that says so, and leaves nothing behind: here two of the three nodes are frozen
// as soon as they start.
func TestNoLeaderInTime(t *testing.T) {
	frozen := filepath.Join(t.TempDir(), "frozen")
	script := "#!/bin/sh\ncase \"$*\" in *' n2'|*' n3') kill -STOP $$;; esac\nexec " + os.Args[0] + " \"$@\"\n"
	if err := os.WriteFile(frozen, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c, err := cluster.Start(bounded(t, 5*time.Second), cluster.Config{Dir: t.TempDir(), Command: []string{frozen}})
	if err == nil {
		_ = c.Close(t.Context())
		t.Fatal("two frozen nodes of three made a cluster")
	}
	t.Log(err)
	if !strings.Contains(err.Error(), "n2") && !strings.Contains(err.Error(), "n3") && !strings.Contains(err.Error(), "leader") {
		t.Errorf("the error names neither the nodes nor the leader: %v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}
