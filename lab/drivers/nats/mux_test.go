package nats

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
)

// ends collects how requests ended.
type ends chan error

func (e ends) answered(_ int, _ *natsgo.Msg, err error) { e <- err }

// TestNewLeaderHurriesTheOldOnesUp: what was sent before an election is given up soon after it, and what is sent later has its
// whole time.
func TestNewLeaderHurriesTheOldOnesUp(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	nc, err := natsgo.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Subscribe("silent", func(*natsgo.Msg) {}); err != nil { // takes it and answers nothing
		t.Fatal(err)
	}
	x, err := newMux(nc, 4, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer x.stop()
	before, after := make(ends, 4), make(ends, 4)
	ask := func(e ends) {
		reply, _ := x.register(<-x.free, e, 0)
		if err := nc.PublishRequest("silent", reply, nil); err != nil {
			t.Fatal(err)
		}
	}
	ask(before)
	ask(before)
	x.hurry(errNewLeader, 30*time.Millisecond)
	ask(after)
	for range 2 {
		select {
		case err := <-before:
			if !errors.Is(err, errNewLeader) {
				t.Errorf("before the election: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("not given up")
		}
	}
	x.mu.Lock()
	left := time.Until(x.slots[x.head].deadline)
	x.mu.Unlock()
	if len(after) > 0 || left < 30*time.Second {
		t.Errorf("after the election: %d ended, %s left", len(after), left)
	}
}
