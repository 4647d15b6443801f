//go:build linux || darwin

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/havoqlab/havoq/lab/cluster"
)

// stream makes an R3 stream and returns a client for it. It takes no retry: a cluster that Start returned is ready.
func stream(t *testing.T, c *cluster.Cluster, replicas int) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(c.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.PingInterval(500*time.Millisecond), nats.MaxPingsOutstanding(2), nats.Timeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: replicas, Duplicates: 2 * time.Minute}
	if _, err := js.CreateStream(bounded(t, 10*time.Second), cfg); err != nil {
		t.Fatal(err)
	}
	return js
}

// publisher publishes numbered messages one after another, each until it is acknowledged, as a client should.
type publisher struct {
	js    jetstream.JetStream
	acked atomic.Int64
	gap   atomic.Int64 // the longest time between two acks, ns
}

func (p *publisher) run(ctx context.Context) {
	last := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		id := strconv.Itoa(i)
		for ctx.Err() == nil {
			attempt, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			_, err := p.js.Publish(attempt, "s", []byte(id), jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
			cancel()
			if err == nil {
				p.acked.Add(1)
				p.gap.Store(max(p.gap.Load(), int64(time.Since(last))))
				last = time.Now()
				break
			}
		}
	}
}

// publish runs a publisher until the returned function is called.
func publish(t *testing.T, js jetstream.JetStream) (p *publisher, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	p = &publisher{js: js}
	var wg sync.WaitGroup
	wg.Go(func() { p.run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return p, stop
}

// more waits until the publisher has further acks.
func (p *publisher) more(t *testing.T, n int64) {
	t.Helper()
	want := p.acked.Load() + n
	eventually(t, 30*time.Second, fmt.Sprintf("%d acks", want), func() bool { return p.acked.Load() >= want })
}

// held reads the stream from its first to its last message, by their numbers in the stream, from its leader. Each question is
// asked again until it is answered, because elections may be under way.
func held(t *testing.T, js jetstream.JetStream) map[string]int {
	t.Helper()
	ctx := bounded(t, 30*time.Second)
	ask := func(do func(context.Context) error) {
		t.Helper()
		var err error
		for ctx.Err() == nil {
			attempt, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			err = do(attempt)
			if err != nil {
				<-attempt.Done() // no faster than one attempt in its time
			}
			cancel()
			if err == nil {
				return
			}
		}
		t.Fatal(err)
	}
	var info *jetstream.StreamInfo
	var s jetstream.Stream
	ask(func(ctx context.Context) (err error) {
		if s, err = js.Stream(ctx, "S"); err == nil {
			info, err = s.Info(ctx)
		}
		return err
	})
	got := map[string]int{}
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		ask(func(ctx context.Context) error {
			msg, err := s.GetMsg(ctx, seq)
			if err == nil {
				got[string(msg.Data)]++
			}
			return err
		})
	}
	return got
}

func (p *publisher) nothingLost(t *testing.T, got map[string]int) {
	t.Helper()
	for i := range int(p.acked.Load()) {
		if got[strconv.Itoa(i)] != 1 {
			t.Errorf("message %d of %d acked is there %d times", i, p.acked.Load(), got[strconv.Itoa(i)])
		}
	}
	t.Logf("%d acked, %d held, longest gap %s", p.acked.Load(), len(got), time.Duration(p.gap.Load()))
}

func TestKillLeader(t *testing.T) {
	t.Parallel() // most of its time is elections
	var seen states
	c := start(t, cluster.Config{OnState: seen.on})
	js := stream(t, c, 3)
	p, stop := publish(t, js)
	p.more(t, 50)
	ctx := bounded(t, time.Minute)
	old, err := c.Resolve(ctx, "S", "leader")
	if err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if evidence := must(t)(c.InjectBrokerFailure(ctx, "S", "leader")); !strings.HasPrefix(evidence, old[0]+": process ") || !strings.HasSuffix(evidence, " refuses") {
		t.Errorf("evidence %q, leader was %s", evidence, old[0])
	}
	t.Logf("seen after %s", time.Since(killed))
	if _, err := c.Leader(ctx, "S"); !errors.Is(err, cluster.ErrNoLeader) {
		t.Errorf("right after the kill: %v", err)
	}
	if _, err := c.Kill(ctx, old[0]); err == nil || !strings.Contains(err.Error(), "down already") {
		t.Errorf("second kill: %v", err)
	}
	var leader string
	eventually(t, 20*time.Second, "a new leader", func() bool { leader, err = c.Leader(ctx, "S"); return err == nil })
	t.Logf("new leader %s after %s", leader, time.Since(killed))
	if leader == old[0] {
		t.Errorf("leader is still %s", leader)
	}
	p.more(t, 50)
	if evidence := must(t)(c.RecoverBroker(ctx, old[0])); !strings.Contains(evidence, ", current after ") {
		t.Errorf("evidence %q", evidence)
	}
	p.more(t, 10)
	stop()
	p.nothingLost(t, held(t, js))
	var went []string
	for _, s := range seen.list() {
		if strings.HasPrefix(s, old[0]) {
			went = append(went, strings.Fields(s)[1])
		}
	}
	if !slices.Equal(went, []string{"starting", "up", "down", "starting", "up"}) {
		t.Errorf("%s went %v", old[0], went)
	}
}

func TestPauseLeader(t *testing.T) {
	t.Parallel() // most of its time is elections
	c := start(t, cluster.Config{})
	js := stream(t, c, 3)
	p, stop := publish(t, js)
	p.more(t, 20)
	ctx := bounded(t, time.Minute)
	old, err := c.Leader(ctx, "S")
	if err != nil {
		t.Fatal(err)
	}
	must(t)(c.Pause(ctx, old))
	if s := c.State(old); s != cluster.Paused {
		t.Errorf("%s is %s", old, s)
	}
	for verb, act := range map[string]func(context.Context, string) (string, error){"pause": c.Pause, "stop": c.Stop, "start": c.Start} {
		if evidence, err := act(ctx, old); err == nil || !strings.Contains(err.Error(), "paused") {
			t.Errorf("%s of a paused node: %q, %v", verb, evidence, err)
		}
	}
	eventually(t, 20*time.Second, "another leader", func() bool { now, err := c.Leader(ctx, "S"); return err == nil && now != old })
	p.more(t, 20)
	must(t)(c.RecoverBroker(ctx, old))
	if s := c.State(old); s != cluster.Up {
		t.Errorf("%s is %s", old, s)
	}
	p.more(t, 20)
	stop()
	p.nothingLost(t, held(t, js))
	must(t)(c.Pause(ctx, old)) // and close with a paused node
}

func TestWipe(t *testing.T) {
	t.Parallel() // most of its time is elections
	c := start(t, cluster.Config{})
	js := stream(t, c, 3)
	p, stop := publish(t, js)
	p.more(t, 100)
	stop()
	ctx := bounded(t, time.Minute)
	// When each has lost its disk once, all that is left came from nodes that said they were current again.
	for i, n := range c.Nodes() {
		if evidence := must(t)(c.Wipe(ctx, n)); !strings.Contains(evidence, "refuses, store ") {
			t.Errorf("evidence %q", evidence)
		}
		if _, err := c.Wipe(ctx, n); i == 0 && (err == nil || !strings.Contains(err.Error(), "no store to delete")) {
			t.Errorf("second wipe: %v", err)
		}
		must(t)(c.Start(ctx, n))
	}
	p.nothingLost(t, held(t, js))
}

func TestUnreplicatedWipe(t *testing.T) {
	t.Parallel() // most of its time is elections
	c := start(t, cluster.Config{})
	stream(t, c, 1)
	ctx := bounded(t, time.Minute)
	leader, err := c.Leader(ctx, "S")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resolve(ctx, "S", "follower"); err == nil || !strings.Contains(err.Error(), "no running follower") {
		t.Errorf("follower of an unreplicated stream: %v", err)
	}
	must(t)(c.Wipe(ctx, leader))
	if _, err := c.Leader(ctx, "S"); !errors.Is(err, cluster.ErrNoLeader) {
		t.Errorf("leader of a stream whose only node is down: %v", err)
	}
	must(t)(c.Start(ctx, leader))
}

func TestTwoOfThreeDown(t *testing.T) {
	t.Parallel() // most of its time is elections
	c := start(t, cluster.Config{})
	js := stream(t, c, 3)
	p, stop := publish(t, js)
	p.more(t, 20)
	ctx := bounded(t, 2*time.Minute)
	leader, err := c.Leader(ctx, "S")
	if err != nil {
		t.Fatal(err)
	}
	var down []string
	for _, n := range c.Nodes() {
		if n != leader {
			must(t)(c.Kill(ctx, n))
			down = append(down, n)
		}
	}
	_, err = c.Leader(ctx, "S")
	if !errors.Is(err, cluster.ErrNoLeader) {
		t.Errorf("one of three left: %v", err)
	}
	t.Log(err)
	must(t)(c.Kill(ctx, leader))
	if evidence := must(t)(c.Start(ctx, down[0])); !strings.Contains(evidence, "not current") || !strings.Contains(evidence, "1 of 3") {
		t.Errorf("evidence %q", evidence)
	}
	if s := c.State(down[0]); s != cluster.Up {
		t.Errorf("%s is %s", down[0], s)
	}
	if evidence := must(t)(c.Start(ctx, leader)); !strings.Contains(evidence, ", current after ") {
		t.Errorf("evidence %q", evidence)
	}
	p.more(t, 20)
	must(t)(c.Start(ctx, down[1]))
	stop()
	p.nothingLost(t, held(t, js))
}

func TestRollingRestart(t *testing.T) {
	t.Parallel() // most of its time is elections
	c := start(t, cluster.Config{})
	js := stream(t, c, 3)
	p, stop := publish(t, js)
	p.more(t, 20)
	ctx := bounded(t, 2*time.Minute)
	for _, n := range c.Nodes() {
		must(t)(c.Stop(ctx, n))
		must(t)(c.Start(ctx, n))
		p.more(t, 10)
	}
	stop()
	p.nothingLost(t, held(t, js))
}

func TestAllDownAndContinued(t *testing.T) {
	t.Parallel() // most of its time is elections
	dir := t.TempDir()
	c := start(t, cluster.Config{Dir: dir})
	p, stop := publish(t, stream(t, c, 3))
	p.more(t, 50)
	stop()
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = start(t, cluster.Config{Dir: dir})
	nc, err := nats.Connect(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	p.nothingLost(t, held(t, js))
}

func TestExitByItself(t *testing.T) {
	var seen states
	c := start(t, cluster.Config{OnState: seen.on})
	pid := pidOf(t, seen.list(), "n2")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "n2 down", func() bool { return c.State("n2") == cluster.Down })
	all := seen.list()
	if last := all[len(all)-1]; !strings.Contains(last, "n2 down exited by itself: signal: killed; see ") || !strings.Contains(last, "n2.log, which ends: ") {
		t.Errorf("told %q", last)
	}
	must(t)(c.Start(bounded(t, time.Minute), "n2"))
}

// pidOf reads a node's process number from what OnState said when it came up.
func pidOf(t *testing.T, all []string, node string) (pid int) {
	t.Helper()
	for _, s := range all {
		if rest, ok := strings.CutPrefix(s, node+" up process "); ok {
			if _, err := fmt.Sscan(rest, &pid); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pid <= 1 || pid == os.Getpid() {
		t.Fatalf("no process number of %s in %q", node, all)
	}
	return pid
}

func TestPortTakenMeanwhile(t *testing.T) {
	c := start(t, cluster.Config{})
	ctx := bounded(t, time.Minute)
	must(t)(c.Kill(ctx, "n1"))
	addr, _, _ := strings.Cut(strings.TrimPrefix(c.URL(), "nats://"), ",")
	thief, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	evidence, err := c.Start(ctx, "n1")
	if err == nil {
		t.Fatal(evidence)
	}
	for _, want := range []string{"cluster: start n1: ", addr, "already in use", "stop it"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if s := c.State("n1"); s != cluster.Down {
		t.Errorf("n1 is %s", s)
	}
	thief.Close()
	must(t)(c.Start(ctx, "n1"))
}
