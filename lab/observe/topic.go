package observe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/havoqlab/havoq/queue"
)

const (
	readBatch  = 512
	retryEvery = 100 * time.Millisecond
	// before is how many of the messages before the run are read, so that what still comes of them is known.
	before = 100_000
)

// topicReader reads one topic, from what is there before the run to the end.
type topicReader struct {
	what   string // "input"
	name   string
	reader queue.Reader
	asker  queue.Reader // for questions while reader waits
	take   func(d *queue.Delivery, judged bool)
	start  int64         // messages up to here are of before the run
	there  chan struct{} // closed when the topic is there
	read   atomic.Int64  // position of the last message that was taken
	missed atomic.Int64

	mu  sync.Mutex
	err error // the last trouble; nil: none
}

// openTopic notes how far the topic is before the run.
func (o *Observer) openTopic(ctx context.Context, what, name string, take func(*queue.Delivery, bool)) (*topicReader, error) {
	t := &topicReader{what: what, name: name, take: take, there: make(chan struct{})}
	var err error
	if t.reader, err = o.cfg.Queue.Reader(ctx, name); err != nil {
		return nil, err
	}
	if t.asker, err = o.cfg.Queue.Reader(ctx, name); err != nil {
		return nil, err
	}
	if o.cfg.Fresh {
		return t, nil
	}
	first, last, err := t.asker.Bounds(ctx)
	switch {
	case errors.Is(err, queue.ErrNoTopic):
		return t, nil
	case err != nil:
		return nil, err
	}
	t.start = last
	from := last + 1
	if what == "input" {
		from = max(first, last-before+1)
		o.book.older = from - first
	}
	t.reader.StartAt(from)
	t.read.Store(from - 1)
	return t, nil
}

// run reads until ctx ends, whatever the broker does meanwhile.
func (t *topicReader) run(ctx context.Context) {
	if !t.await(ctx) {
		return
	}
	for ctx.Err() == nil {
		ds, err := t.reader.Receive(ctx, readBatch)
		t.missed.Store(t.reader.Missed())
		t.trouble(err)
		if err != nil {
			pause(ctx)
			continue
		}
		for i := range ds {
			t.take(&ds[i], ds[i].Offset > t.start)
			t.read.Store(ds[i].Offset)
		}
	}
}

// await waits for the topic to be there.
func (t *topicReader) await(ctx context.Context) bool {
	for ctx.Err() == nil {
		_, _, err := t.reader.Bounds(ctx)
		t.trouble(err)
		if err == nil {
			close(t.there)
			return true
		}
		pause(ctx)
	}
	return false
}

func pause(ctx context.Context) {
	select {
	case <-time.After(retryEvery):
	case <-ctx.Done():
	}
}

func (t *topicReader) trouble(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// why is what keeps the topic from being read.
func (t *topicReader) why() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		return fmt.Errorf("topic %q was not read in time", t.name)
	}
	return t.err
}

// behind says how many positions are left to be read, at most, up to the end of the topic or to upTo, where that is not 0.
func (t *topicReader) behind(ctx context.Context, upTo int64) (int64, error) {
	first, last, err := t.asker.Bounds(ctx)
	if err != nil {
		return -1, err
	}
	if upTo > 0 {
		last = min(last, upTo)
	}
	if first > last {
		return 0, nil
	}
	return max(0, last-t.read.Load()), nil
}

// Stream is what the broker calls the place where the input is kept, where it has such a name; "": not known.
func (o *Observer) Stream(ctx context.Context) string {
	if _, _, err := o.input.asker.Bounds(ctx); err != nil {
		return ""
	}
	if named, ok := o.input.asker.(interface{ Stream() string }); ok {
		return named.Stream()
	}
	return ""
}
