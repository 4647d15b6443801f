package probe_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/lab/gameday/probe"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type said struct {
	ok      bool
	latency time.Duration
	detail  string
}

// ask runs a probe until it has answered n times, and returns the answers.
func ask(t *testing.T, p scenario.Probe, n int) []said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var all []said
	err := probe.Run(ctx, "checkout", p, func(ok bool, latency time.Duration, detail string) {
		if all = append(all, said{ok, latency, detail}); len(all) == n {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != n {
		t.Fatalf("%d answers, want %d: %v", len(all), n, all)
	}
	return all
}

func every(d time.Duration) scenario.Duration { return scenario.Duration(d) }

func expectAnswer(t *testing.T, got said, ok bool, parts ...string) {
	t.Helper()
	if got.ok != ok {
		t.Errorf("ok is %v: %s", got.ok, got.detail)
	}
	for _, part := range parts {
		if !strings.Contains(got.detail, part) {
			t.Errorf("%q does not say %q", got.detail, part)
		}
	}
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestHTTP(t *testing.T) {
	elsewhere := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "fine") })
	var asks atomic.Int64
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			asks.Add(1)
			fmt.Fprint(w, "fine")
		case "/here":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/elsewhere":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "/endless":
			for _, err := fmt.Fprint(w, strings.Repeat("x", 1<<16)); err == nil; _, err = fmt.Fprint(w, strings.Repeat("x", 1<<16)) {
			}
		case "/broken":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
		default:
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	})
	for _, c := range []struct {
		path   string
		status int
		ok     bool
		part   string
	}{
		{"/ok", 0, true, "200 OK"},
		{"/ok", 204, false, "200 OK, not 204"},
		{"/here", 200, true, "200 OK"},
		{"/loop", 200, false, "302 Found, not 200"},
		{"/elsewhere", 200, false, "not followed"},
		{"/elsewhere", 302, true, "302 Found"},
		{"/endless", 200, true, "200 OK"},
		{"/broken", 200, false, "broke off"},
		{"/down", 200, false, "503 Service Unavailable, not 200"},
		{"/down", 503, true, "503"},
	} {
		p := scenario.Probe{HTTP: s.URL + c.path, Status: c.status, Every: every(10 * time.Millisecond), Timeout: every(10 * time.Second)}
		expectAnswer(t, ask(t, p, 1)[0], c.ok, c.part)
	}
	p := scenario.Probe{HTTP: s.URL + "/ok", Every: every(time.Millisecond), Timeout: every(10 * time.Second)}
	before := asks.Load()
	ask(t, p, 5)
	if n := asks.Load() - before; n != 5 {
		t.Errorf("asked %d times for 5 answers", n)
	}
}

func TestHTTPNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	expectAnswer(t, ask(t, scenario.Probe{HTTP: "http://" + address}, 1)[0], false, "connection refused")
}

// A server that takes the connection and answers nothing, or never ends its answer, is a failed probe after its time-out.
func TestHTTPThatNeverAnswers(t *testing.T) {
	stop := make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		<-stop
	})
	defer close(stop)
	for _, path := range []string{"/", "/half"} {
		p := scenario.Probe{HTTP: s.URL + path, Every: every(20 * time.Millisecond), Timeout: every(100 * time.Millisecond)}
		for _, a := range ask(t, p, 2) {
			expectAnswer(t, a, false, "no answer within 100ms")
			if a.latency < 100*time.Millisecond || a.latency > 30*time.Second {
				t.Errorf("took %s", a.latency)
			}
		}
	}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct {
		command string
		ok      bool
		part    string
	}{
		{"true", true, "exit code 0"},
		{"false", false, "exit status 1"},
		{`sh -c 'echo all well; echo "2 brokers"'`, true, "2 brokers"},
		{`sh -c 'echo no leader >&2; exit 3'`, false, "exit status 3: no leader"},
		{`sh -c 'head -c 10000000 /dev/zero | tr "\0" x; exit 1'`, false, "exit status 1: xxx"},
		{"/no/such/program", false, "no such file"},
	} {
		p := scenario.Probe{Command: c.command, Every: every(10 * time.Millisecond), Timeout: every(30 * time.Second)}
		a := ask(t, p, 1)[0]
		expectAnswer(t, a, c.ok, c.part)
		if len(a.detail) > 300 {
			t.Errorf("%s: a detail of %d bytes", c.command, len(a.detail))
		}
	}
}

// A program that hangs, with children that hang and hold its output, is killed with all of them at its time-out.
func TestCommandThatHangsIsKilledWithItsChildren(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	p := scenario.Probe{
		Command: `sh -c 'sleep 1000 & echo $! > ` + pidFile + `; wait'`,
		Every:   every(50 * time.Millisecond), Timeout: every(2 * time.Second),
	}
	a := ask(t, p, 1)[0]
	expectAnswer(t, a, false, "no answer within 2s")
	gone(t, pidFile)
}

// What a program leaves behind is ended, too, and the probe says so.
func TestCommandThatLeavesAChildBehind(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	p := scenario.Probe{
		Command: `sh -c 'sleep 1000 & echo $! > ` + pidFile + `'`,
		Every:   every(50 * time.Millisecond), Timeout: every(30 * time.Second),
	}
	expectAnswer(t, ask(t, p, 1)[0], false, "left a process behind")
	gone(t, pidFile)
}

// gone waits until the process of the file is not there, or is only waiting to be reaped by its parent.
func gone(t *testing.T, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	deadline, look := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer look.Stop()
	for alive(pid) {
		select {
		case <-look.C:
		case <-deadline:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestEndOfContextEndsTheProbeAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	begun := time.Now()
	defer time.AfterFunc(100*time.Millisecond, cancel).Stop()
	p := scenario.Probe{Command: "sleep 1000", Every: every(time.Hour), Timeout: every(time.Hour)}
	err := probe.Run(ctx, "checkout", p, func(bool, time.Duration, string) { t.Error("a cut-off ask was recorded") })
	if err != nil || time.Since(begun) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}

func TestProbeThatCannotAsk(t *testing.T) {
	for part, p := range map[string]scenario.Probe{
		"asks nothing":   {},
		"asks both":      {HTTP: "http://x", Command: "true"},
		"a shell's sign": {Command: "a | b"},
		"quote":          {Command: "a 'b"},
		"http: parse":    {HTTP: "http://[::1"},
	} {
		err := probe.Run(t.Context(), "checkout", p, func(bool, time.Duration, string) { t.Error("recorded") })
		if err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), `probe "checkout"`) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
