package orders

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Connect connects to the servers in $NATS_URL, by default the one on this machine, and goes on connecting for ever when it
// loses them.
func Connect(name string) (*nats.Conn, jetstream.JetStream, error) {
	url := os.Getenv("NATS_URL")
	if url == "" {
		url = nats.DefaultURL
	}
	nc, err := nats.Connect(url, nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond),
		nats.RetryOnFailedConnect(true))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to $NATS_URL: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("JetStream: %w", err)
	}
	return nc, js, nil
}

// Stream makes the stream of topic if it is not there yet. Whoever starts first makes it; a cluster may need some seconds
// before it can.
func Stream(ctx context.Context, js jetstream.JetStream, topic string, replicas int) error {
	return Retry(ctx, 30*time.Second, func(ctx context.Context) error {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name:       topic,
			Subjects:   []string{topic},
			Storage:    jetstream.FileStorage,
			Replicas:   replicas,
			Duplicates: 2 * time.Minute,
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil
		}
		return err
	})
}

// Retry calls f, with 2 s for each try, until it succeeds or limit is over.
func Retry(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, 2*time.Second)
		err := f(try)
		done()
		if err == nil {
			return nil
		}
		if Pause(ctx, 250*time.Millisecond); ctx.Err() != nil {
			return err
		}
	}
}

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
