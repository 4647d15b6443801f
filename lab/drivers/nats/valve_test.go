package nats_test

import (
	"net"
	"sync"
	"testing"
)

// valve is a TCP proxy in front of a server that can hold back what the server answers, and cut its connections.
type valve struct {
	listener net.Listener
	target   string
	ended    sync.WaitGroup

	mu     sync.Mutex
	shut   bool
	opened *sync.Cond
	conns  map[net.Conn]struct{}
	closed bool
}

func newValve(t testing.TB, target string) *valve {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	v.opened = sync.NewCond(&v.mu)
	v.ended.Go(v.accept)
	t.Cleanup(func() {
		v.mu.Lock()
		v.closed = true
		v.mu.Unlock()
		l.Close()
		v.open()
		v.cut()
		v.ended.Wait()
	})
	return v
}

func (v *valve) address() string { return v.listener.Addr().String() }

func (v *valve) accept() {
	for {
		client, err := v.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", v.target)
		if err != nil {
			client.Close()
			continue
		}
		v.mu.Lock()
		v.conns[client], v.conns[server] = struct{}{}, struct{}{}
		if v.closed {
			client.Close()
			server.Close()
		}
		v.mu.Unlock()
		v.ended.Go(func() { v.pass(client, server, func() {}) })
		v.ended.Go(func() { v.pass(server, client, v.waitOpen) })
	}
}

func (v *valve) pass(from, to net.Conn, gate func()) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		gate()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (v *valve) waitOpen() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.shut {
		v.opened.Wait()
	}
}

// close holds back answers.
func (v *valve) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = true
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = false
	v.opened.Broadcast()
}

// cut breaks all connections; what was held back is lost.
func (v *valve) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for c := range v.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
	clear(v.conns)
}

func (v *valve) connected() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.conns) > 0
}
