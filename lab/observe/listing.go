package observe

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// maxRows bounds a listing. A longer one cannot be judged, and is not read any more.
const maxRows = 1_000_000

var errEndless = fmt.Errorf("it lists more than %d IDs, and havoq reads no more", maxRows)

// listing looks at a list of IDs again and again, and tells what is new in it.
type listing struct {
	effect *Effect
	book   *book

	mu    sync.Mutex // held while it is listed
	seed  maphash.Seed
	seen  map[uint64]uint32 // how often each ID was there, by its hash
	begun bool              // it was listed at least once, or there was nothing yet
	found bool              // there was something to list once, were it an empty table
	yet   error             // of the last look: there was nothing to list
	looks int
	over  error // it cannot be listed any more
	err   error // of the last look
}

func newListing(o *Observer, e *Effect) *listing {
	if e.Every <= 0 {
		e.Every = time.Second
	}
	if e.Timeout <= 0 {
		e.Timeout = 10 * time.Second
	}
	return &listing{effect: e, book: o.book, seed: maphash.MakeSeed(), seen: map[uint64]uint32{}}
}

// before takes what is there before the application is started. That it cannot be listed yet is no error: the application may
// have to be up for it.
func (l *listing) before(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids, err := l.list(ctx)
	switch {
	case errors.Is(err, errEndless):
		return fmt.Errorf("%s: %w: let it list those of this run only", l.effect.Group, err)
	case err != nil:
		return nil
	}
	l.begun = true
	for _, id := range ids {
		l.book.beforeRun(id)
	}
	return nil
}

// list returns the IDs that are new since the last time, each as often as it has come. The caller holds the lock.
func (l *listing) list(parent context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(parent, l.effect.Timeout, fmt.Errorf("no listing within %s", l.effect.Timeout))
	defer cancel()
	l.looks++
	var news []string
	now, rows := make(map[uint64]uint32, len(l.seen)), 0
	err := l.effect.List(ctx, func(id string) error {
		if rows++; rows > maxRows {
			return errEndless
		}
		hash := maphash.String(l.seed, id)
		if now[hash]++; now[hash] > l.seen[hash] {
			news = append(news, id)
		}
		return nil
	})
	if errors.Is(err, ErrNothingYet) {
		l.yet = err
		return nil, nil
	}
	if err != nil {
		if ctx.Err() != nil && parent.Err() == nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	l.found, l.yet = true, nil
	for hash, n := range now {
		l.seen[hash] = max(l.seen[hash], n)
	}
	return news, nil
}

// look lists once, and tells what is new.
func (l *listing) look(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over != nil {
		return l.over
	}
	ids, err := l.list(ctx)
	l.err = err
	if errors.Is(err, errEndless) {
		l.over = fmt.Errorf("%w: let it list those of this run only", err)
		l.book.lost(l.effect.Group, l.effect.Group, endless, 1, l.over.Error())
	}
	if err != nil {
		return err
	}
	old := !l.begun
	l.begun = true
	for _, id := range ids {
		l.book.listed(l.effect.Group, id, old)
	}
	return nil
}

// absent says why what is listed cannot show that anything is missing: it is not there; "": it is.
func (l *listing) absent() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.yet == nil {
		return ""
	}
	never := "was never there"
	if l.found {
		never = "was there, and is no more"
	}
	return fmt.Sprintf("%s %s (%d looks; the last: %v), so that what it does not list may have been done all the same: let observe.effect name "+
		"what your application writes; a path there is seen from the scenario file", l.effect.Group, never, l.looks, l.yet)
}

// run looks until ctx ends. A look that fails is made again: while the application is down, there may be nothing to look at.
func (l *listing) run(ctx context.Context) {
	tick := time.NewTicker(l.effect.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = l.look(ctx) // the drain asks again
		}
	}
}
