package history_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/queue"
)

// newApp starts an App for this group, and closes it when the test ends.
func newApp(t *testing.T, c history.AppConfig) *history.App {
	t.Helper()
	c.Group = "billing"
	a, err := history.NewApp(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(context.Background()) })
	return a
}

// appRecords reads the records of a file.
func appRecords(t *testing.T, path string) (records []history.AppRecord, r *history.AppReader) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r = history.ReadAppRecords(bytes.NewReader(b))
	return slices.Collect(r.Records()), r
}

// withoutName ignores what differs from start to start.
func withoutName() cmp.Option {
	return cmpopts.IgnoreFields(history.AppRecord{}, "App")
}

func TestAppToAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "records.jsonl")
		ctx := history.WithApp(t.Context(), newApp(t, history.AppConfig{File: path, Client: "shop", Input: "orders", Output: "invoices"}))
		start := time.Now()
		long := strings.Repeat("ä", 3000)
		for _, err := range []error{
			history.AppFrom(ctx).Processed("o-1", "invoice 17"),
			history.AppFrom(ctx).Sending("i-1"),
			history.AppFrom(ctx).Sent("i-1", queue.OK, ""),
			history.AppFrom(ctx).Sent("i-2", queue.Failed, "refused\xff"),
			history.AppFrom(ctx).Sent("i-3", queue.Unknown, long),
			history.AppFrom(ctx).Processed("o-2", ""),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		records, _ := appRecords(t, path) // each is there as soon as it is told
		bubble.Sleep(time.Second)
		for range 2 {
			if err := history.AppFrom(ctx).Close(ctx); err != nil {
				t.Fatal(err)
			}
		}
		all, r := appRecords(t, path)
		want := []history.AppRecord{
			{What: history.AppBegin, Client: "shop", Group: "billing", Topic: "orders"},
			{What: history.AppProcessed, Client: "shop", Group: "billing", Topic: "orders", ID: "o-1", Effect: "invoice 17"},
			{What: history.AppSending, Client: "shop", Topic: "invoices", ID: "i-1"},
			{What: history.AppSent, Client: "shop", Topic: "invoices", ID: "i-1", Outcome: queue.OK},
			{What: history.AppSent, Client: "shop", Topic: "invoices", ID: "i-2", Outcome: queue.Failed, Detail: "refused\uFFFD"},
			{What: history.AppSent, Client: "shop", Topic: "invoices", ID: "i-3", Detail: strings.Repeat("ä", 2043) + "… (cut)"},
			{What: history.AppProcessed, Client: "shop", Group: "billing", Topic: "orders", ID: "o-2"},
			{What: history.AppEnd},
		}
		for i := range want {
			want[i].Seq, want[i].At = uint64(i), start
		}
		want[7].At = start.Add(time.Second)
		if diff := cmp.Diff(want[:7], records, withoutName()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want, all, withoutName()); diff != "" {
			t.Error(diff)
		}
		if r.Err() != nil || len(r.Warnings()) != 0 {
			t.Error(r.Err(), r.Warnings())
		}
		state := history.AppState{App: all[0].App, Client: "shop", Group: "billing", Records: 6, Ended: true, Last: want[7].At}
		if diff := cmp.Diff([]history.AppState{state}, r.Apps()); diff != "" {
			t.Error(diff)
		}
	})
}

// A recorder that is not there is an error, unless that was said.
func TestAMissingRecorderIsAnError(t *testing.T) {
	ctx := t.Context()
	for what, err := range map[string]error{
		"processed": history.AppFrom(ctx).Processed("a", ""), "sending": history.AppFrom(ctx).Sending("a"),
		"sent": history.AppFrom(ctx).Sent("a", queue.OK, ""), "close": history.AppFrom(ctx).Close(ctx),
	} {
		if !errors.Is(err, history.ErrNoApp) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "history.WithApp") {
			t.Errorf("%s: %v", what, err)
		}
	}
	off, err := history.NewApp(history.AppConfig{Off: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx = history.WithApp(ctx, off)
	if err := errors.Join(history.AppFrom(ctx).Processed("", ""), history.AppFrom(ctx).Sent("a", 99, ""), history.AppFrom(ctx).Close(ctx)); err != nil {
		t.Error(err)
	}
	if n := testing.AllocsPerRun(100, func() { history.AppFrom(ctx).Processed("a", "effect") }); n != 0 {
		t.Errorf("off costs %v allocations", n)
	}
}

func TestAppConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "records.jsonl")
	for want, c := range map[string]history.AppConfig{
		"exactly one of File, URL and Off must be set, not 0": {},
		"exactly one of File, URL and Off must be set, not 2": {File: file, Off: true},
		"exactly one of File, URL and Off must be set, not 3": {File: file, URL: "http://127.0.0.1:1", Off: true},
		"a Token without a URL":                               {File: file, Token: "secret"},
		"a negative Buffer or Timeout":                        {File: file, Timeout: -1},
		"at least 131072 are needed":                          {URL: "http://127.0.0.1:1", Buffer: 1},
		"is not like http://127.0.0.1:8080":                   {URL: "localhost:8080"},
		"ftp://x, is not like http://127.0.0.1:8080":          {URL: "ftp://x"},
		"cannot be read":                                      {URL: "http://user:secret@ x"},
		"a secret belongs into Token":                         {URL: "http://user:secret@127.0.0.1:1"},
		"the group has 513 bytes":                             {File: file, Group: strings.Repeat("g", 513)},
		"the client is not UTF-8":                             {File: file, Client: "\xff"},
		"Output is not UTF-8, or has more than 512":           {File: file, Output: strings.Repeat("o", 513)},
		"open the file for records: open " + file + "/":       {File: file + "/nowhere/x"},
		"not a regular file":                                  {File: os.DevNull},
	} {
		a, err := history.NewApp(c)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "user:secret") {
			t.Errorf("%v, want %q", err, want)
		}
		if a != nil {
			t.Error("an App with an error")
		}
		os.Remove(file)
	}
}

// What the format does not allow is the caller's error, and leaves no hole.
func TestWhatAnAppCannotTell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.jsonl")
	a := newApp(t, history.AppConfig{File: path})
	for want, err := range map[string]error{
		"no id":                    a.Processed("", ""),
		"the id has 513 bytes":     a.Sent(strings.Repeat("x", 513), queue.OK, ""),
		"the id is not UTF-8":      a.Sending("\xff"),
		"the effect has 4097":      a.Processed("a", strings.Repeat("x", 4097)),
		"an outcome":               a.Sent("a", 3, ""),
		"the effect is not UTF-8":  a.Processed("a", "\xff"),
		`history: processed "b\""`: a.Processed(`b"`, "\xff"),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Processed("a", ""); !errors.Is(err, history.ErrAppClosed) {
		t.Error(err)
	}
	records, r := appRecords(t, path)
	if len(records) != 2 || r.Err() != nil {
		t.Error(records, r.Err())
	}
	nobody, err := history.NewApp(history.AppConfig{File: path})
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close(t.Context())
	if err := nobody.Processed("a", ""); err == nil || !strings.Contains(err.Error(), "no group") {
		t.Error(err)
	}
}

func TestAppAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.jsonl")
	a := newApp(t, history.AppConfig{File: path})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 100 {
				if err := a.Processed(fmt.Sprint(i, "/", j), ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	records, r := appRecords(t, path)
	if len(records) != 802 || r.Err() != nil || !r.Apps()[0].Ended {
		t.Error(len(records), r.Err(), r.Apps())
	}
}

// A disk that is full is an error of each record that is lost, and of Close; the file tells how many they are.
func TestAFullDiskUnderAnApp(t *testing.T) {
	f, records := history.NewFailingApp(func(n int, line []byte) (int, error) {
		switch n {
		case 3:
			return 10, errors.New("disk full")
		case 4:
			return 0, errors.New("disk full")
		case 5:
			return 1, errors.New("disk full")
		}
		return len(line), nil
	})
	for i := range 6 {
		err := f.Processed(fmt.Sprint(i), "")
		if lost := i >= 2 && i <= 4; lost != (err != nil) || lost && !strings.Contains(err.Error(), "disk full") {
			t.Errorf("record %d: %v", i, err)
		}
	}
	if err := f.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "3 of 8 records of this application are not on record: ") {
		t.Error(err)
	}
	r := history.ReadAppRecords(strings.NewReader(records.String()))
	var ids []string
	for rec := range r.Records() {
		ids = append(ids, fmt.Sprint(rec.What, " ", rec.ID, " ", rec.Count))
	}
	want := []string{"begin  0", "processed 0 0", "processed 1 0", "gap  3", "processed 5 0", "end  0"}
	if !slices.Equal(ids, want) || r.Err() != nil || len(r.Warnings()) != 1 {
		t.Errorf("%q, %v, %q\n%s", ids, r.Err(), r.Warnings(), records)
	}
}
