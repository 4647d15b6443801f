package history_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
)

func Example() {
	dir, _ := os.MkdirTemp("", "havoq")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "history")

	w, err := history.Create(path, history.Header{Run: 7, Name: "primary-broker-failure", Seed: 42, Start: time.Now()})
	if err != nil {
		fmt.Println(err)
		return
	}
	w.Record(history.Event{Kind: history.Phase, Name: "baseline"})
	w.Record(history.Event{Kind: history.FaultBegin, Name: "kill", Node: "n1", Detail: "kill n1"})
	w.Record(history.Event{Kind: history.End})
	if err := w.Close(); err != nil {
		fmt.Println(err) // the history has a hole: it must not be judged
	}

	r, err := history.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	for e := range r.Events() {
		fmt.Printf("%v %q\n", e.Kind, e.Name)
	}
	fmt.Printf("run %d, error %v, warning %q\n", r.Header().Run, r.Err(), r.Warning())
	// Output:
	// phase "baseline"
	// fault-begin "kill"
	// end ""
	// run 7, error <nil>, warning ""
}

func TestCreateNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	w, err := history.Create(path, history.Header{Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for range 2 { // while the first writes, and afterwards
		if _, err := history.Create(path, history.Header{Run: 2}); err == nil || !strings.Contains(err.Error(), path+" exists") {
			t.Fatal(err)
		}
		w.Close()
	}
	r, err := history.Open(path)
	if err != nil || r.Header().Run != 1 {
		t.Fatal(r, err)
	}
	r.Close()
}

func TestCreateErrors(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if _, err := history.Create(filepath.Join(none, "history"), history.Header{}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "make the folder "+none+" first") {
		t.Error(err)
	}
	tests := map[string]history.Header{
		"out of range": {Start: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"Info":         {Info: map[string]string{"much": strings.Repeat("x", 1<<21)}},
	}
	for want, h := range tests {
		path := filepath.Join(t.TempDir(), "history")
		if _, err := history.Create(path, h); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Error("a file without a header stays", err)
		}
	}
}

// watched is a file whose size is known, and whose writes may be held up.
type watched struct {
	mu   sync.Mutex
	b    bytes.Buffer
	fail int // bytes until the disk is full, once; 0: never
	err  error
	hold chan struct{} // a write waits until it is closed
}

func (f *watched) Write(p []byte) (int, error) {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail > 0 && f.b.Len()+len(p) > f.fail {
		n := f.fail - f.b.Len()
		f.fail = 0 // there is room again, too late
		f.b.Write(p[:n])
		return n, f.err
	}
	return f.b.Write(p)
}

func (f *watched) Sync() error  { return nil }
func (f *watched) Close() error { return nil }

func (f *watched) events(t *testing.T) []history.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	events, _, err := read(f.b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func (f *watched) holdUp(hold chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = hold
}

// It survives kill -9 if the operating system has it: at once for what a judge cannot do without, else within 100 ms.
func TestWhatIsRecordedReachesTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &watched{}
		w, err := history.NewWriter("watched", f, history.Header{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, k := range []history.Kind{
			history.Reserve, history.FaultBegin, history.FaultSeen, history.HealBegin, history.HealSeen, history.Phase,
			history.Drain, history.Abort, history.End,
		} {
			w.Record(history.Event{Kind: history.Invoke})
			w.Record(history.Event{Kind: k})
			n += 2
			if got := f.events(t); len(got) != n || got[n-1].Kind != k {
				t.Fatalf("%d events of %d after %v", len(got), n, k)
			}
		}
		for range 3 {
			w.Record(history.Event{Kind: history.Invoke})
			w.Record(history.Event{Kind: history.Outcome})
			n += 2
			bubble.Sleep(100*time.Millisecond - 1)
			if got := f.events(t); len(got) != n-2 {
				t.Fatalf("%d events, want %d: written one by one", len(got), n-2)
			}
			bubble.Sleep(time.Nanosecond)
			synctest.Wait()
			if got := f.events(t); len(got) != n {
				t.Fatalf("%d events of %d after 100 ms", len(got), n)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMuchIsWrittenBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &watched{}
		w, err := history.NewWriter("watched", f, history.Header{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200_000 {
			w.Record(history.Event{Kind: history.Deliver, Offset: int64(i) * 1000})
		}
		synctest.Wait()
		if got := len(f.events(t)); got < 150_000 {
			t.Errorf("%d events are written, and no time has passed", got)
		}
		w.Close()
	})
}

// A slow disk does not hold up Record until the buffer is full; then it does, instead of taking all memory.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, hold := &watched{}, make(chan struct{})
		w, err := history.NewWriter("watched", f, history.Header{})
		if err != nil {
			t.Fatal(err)
		}
		f.holdUp(hold)
		recorded := 0
		go func() {
			for range 4 * history.BufferSize / 5000 {
				w.Record(history.Event{Kind: history.Note, Detail: strings.Repeat("x", 5000-20) + fmt.Sprintf("%05d", recorded)})
				recorded++
			}
		}()
		synctest.Wait()
		if size := recorded * 5000; size < history.BufferSize/2 || size > 2*history.BufferSize+1<<20 {
			t.Errorf("%d bytes were recorded while the disk stood still", size)
		}
		close(hold)
		synctest.Wait()
		if err := w.Close(); err != nil || recorded != 4*history.BufferSize/5000 {
			t.Error(recorded, err)
		}
		if got := f.events(t); len(got) != recorded {
			t.Errorf("%d events in the file, %d recorded", len(got), recorded)
		}
	})
}

func TestFullDiskIsReported(t *testing.T) {
	f := &watched{fail: 1000, err: syscall.ENOSPC}
	w, err := history.NewWriter("/run/history", f, history.Header{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		w.Record(history.Event{Kind: history.Invoke, Identity: queue.Identity{Run: 1, Seq: uint64(i)}})
		if i%100 == 0 {
			w.Flush()
		}
	}
	for range 2 {
		if err := w.Close(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "write /run/history at offset 1000") {
			t.Fatal(err)
		}
	}
	if err := w.Err(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	events, warning, err := read(f.b.Bytes()) // what was written in time can be read
	if err != nil || warning == "" || len(events) == 0 || f.b.Len() != 1000 {
		t.Fatal(len(events), f.b.Len(), warning, err)
	}
}

func TestFullDiskAtCreate(t *testing.T) {
	f := &watched{fail: 5, err: syscall.ENOSPC}
	if _, err := history.NewWriter("/run/history", f, history.Header{}); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/run/history") {
		t.Fatal(err)
	}
}

func TestWhatCannotBeRecordedIsAnError(t *testing.T) {
	tests := map[string]history.Event{
		"unknown kind 0":    {},
		"unknown kind 24":   {Kind: 24},
		"unknown outcome 3": {Kind: history.Outcome, Outcome: 3},
		"unknown damage 4":  {Kind: history.Deliver, Damage: 4},
		"name of 16385":     {Kind: history.Deliver, Client: strings.Repeat("x", history.MaxText+1)},
	}
	for want, e := range tests {
		w := create(t, history.Header{})
		w.Record(e)
		w.Record(history.Event{Kind: history.End})
		for _, err := range []error{w.Err(), w.Flush(), w.Close()} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Error(want, err)
			}
		}
	}
	w := create(t, history.Header{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Record(history.Event{Kind: history.Invoke})
	if err := w.Err(); err == nil || !strings.Contains(err.Error(), "after Close") {
		t.Fatal(err)
	}
}

// A history with a hole in it does not claim to be whole.
func TestNothingEndsWhatHasAHole(t *testing.T) {
	f := &watched{}
	w, err := history.NewWriter("watched", f, history.Header{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []history.Event{{Kind: history.Phase}, {Kind: 99}, {Kind: history.Drain}, {Kind: history.End}} {
		w.Record(e)
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "unknown kind 99") {
		t.Error(err)
	}
	var kinds []history.Kind
	for _, e := range f.events(t) {
		kinds = append(kinds, e.Kind)
	}
	if want := []history.Kind{history.Phase, history.Drain}; !slices.Equal(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &watched{}
		start := time.Now()
		bubble.Sleep(time.Second)
		w, err := history.NewWriter("watched", f, history.Header{Start: start})
		if err != nil {
			t.Fatal(err)
		}
		if !w.Start().Equal(start) || w.Now() != int64(time.Second) {
			t.Error(w.Start(), w.Now())
		}
		bubble.Sleep(time.Second)
		w.Record(history.Event{Kind: history.Note})
		w.Record(history.Event{Kind: history.Note, At: 5})             // before the last: raised
		w.Record(history.Event{Kind: history.Note, At: 3_000_000_0})   // so is this
		w.Record(history.Event{Kind: history.Note, At: 3_000_000_000}) // kept
		w.Record(history.Event{Kind: history.Note})                    // now is before the last
		bubble.Sleep(5 * time.Second)
		w.Record(history.Event{Kind: history.Note})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, e := range f.events(t) {
			got = append(got, e.At/1e9)
		}
		if want := []int64{2, 2, 2, 3, 3, 7}; !slices.Equal(got, want) {
			t.Errorf("at %v s, want %v", got, want)
		}
	})
}

func TestStartIsTheTimeOfCreateByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &watched{}
		w, err := history.NewWriter("watched", f, history.Header{})
		if err != nil {
			t.Fatal(err)
		}
		if !w.Start().Equal(time.Now()) || w.Now() != 0 {
			t.Error(w.Start(), w.Now())
		}
		w.Record(history.Event{Kind: history.Note})
		w.Close()
		if e := f.events(t)[0]; e.At != 1 { // 0 would mean that it was never stamped
			t.Error(e.At)
		}
	})
}

// Events of one goroutine keep their order, and time never goes backwards.
func TestOrder(t *testing.T) {
	const goroutines, each = 8, 5000
	path := filepath.Join(t.TempDir(), "history")
	w, err := history.Create(path, history.Header{Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	var recorders sync.WaitGroup
	for g := range goroutines {
		recorders.Go(func() {
			for i := range each {
				w.Record(history.Event{Kind: history.Invoke, Client: fmt.Sprintf("producer-%d", g), Identity: queue.Identity{Run: 1, Producer: uint32(g), Seq: uint64(i)}})
				if i%1000 == 0 {
					w.Record(history.Event{Kind: history.Phase, Name: "flush"})
				}
			}
		})
	}
	recorders.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var next [goroutines]uint64
	var last int64
	for e := range r.Events() {
		if e.At < last {
			t.Fatalf("%d ns after %d ns", e.At, last)
		}
		if last = e.At; e.Kind != history.Invoke {
			continue
		}
		if e.Identity.Seq != next[e.Identity.Producer] {
			t.Fatalf("%+v, want seq %d", e, next[e.Identity.Producer])
		}
		next[e.Identity.Producer]++
	}
	if r.Err() != nil || r.Warning() != "" || next != [goroutines]uint64{each, each, each, each, each, each, each, each} {
		t.Fatal(next, r.Err(), r.Warning())
	}
}
