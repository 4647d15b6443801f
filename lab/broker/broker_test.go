package broker_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/lab/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func text(listen, store string) string {
	return fmt.Sprintf("server_name: b1\nlisten: %q\njetstream { store_dir: %q, sync_interval: always }\n", listen, store)
}

func TestStartServeShutdown(t *testing.T) {
	ctx, dir := bounded(t), t.TempDir()
	logFile := filepath.Join(dir, "b1.log")
	s, err := broker.Start(ctx, broker.Config{Text: text("127.0.0.1:-1", dir), LogFile: logFile})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(ctx, "s", []byte("x")); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	for range 2 { // the second is a no-op
		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(logFile)
	if err != nil || !strings.Contains(string(log), "Server is ready") {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	addr := taken.Addr().String()
	tests := []struct {
		name string
		cfg  broker.Config
		want []string
	}{
		{"empty", broker.Config{Text: " \n"}, []string{"configuration text is empty"}},
		{"unknown key", broker.Config{Text: "listen: \"127.0.0.1:-1\"\nsync_evry: always\n"}, []string{"sync_evry"}},
		{"client port taken", broker.Config{Text: text(addr, t.TempDir())}, []string{`broker "b1"`, addr, "already in use", "configure another port"}},
		{"http port taken", broker.Config{Text: text("127.0.0.1:-1", t.TempDir()) + "http: " + addr}, []string{addr, "configure another port"}},
		{"store is a file", broker.Config{Text: text("127.0.0.1:-1", filepath.Join(file, "x"))}, []string{`broker "b1"`, "can be written"}},
		{"log in no folder", broker.Config{Text: text("127.0.0.1:-1", t.TempDir()), LogFile: filepath.Join(file, "x")}, []string{"open its log"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			s, err := broker.Start(bounded(t), tt.cfg)
			if err == nil {
				t.Fatal("started:", s.URL())
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s to refuse", took)
			}
		})
	}
}

func TestStartIsBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := broker.Start(ctx, broker.Config{Text: text("127.0.0.1:-1", t.TempDir())}); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("error %v", err)
	}
	_, err := broker.Start(bounded(t), broker.Config{Text: text("127.0.0.1:-1", t.TempDir()), ReadyTimeout: time.Nanosecond})
	if err == nil || !strings.Contains(err.Error(), "not ready within 1ns") {
		t.Errorf("error %v", err)
	}
}
