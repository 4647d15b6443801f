package gameday_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

const madeUp = `
scenario: made-up
title: A history without a cluster
target: { url: "memory://" }
workload: { producers: 4, consumers: 2, rate: 10000/s, size: 512B, keys: 64 }
contract: { delivery: at-least-once }
phases: [ { baseline: 10s } ]
criteria: [ "p99(latency.e2e) < 1s" ]
`

// folderOf writes a run folder with a sound history of so many messages from four producers, every one processed. change may
// alter or suppress (by a zero Kind) the event of a message.
func folderOf(t testing.TB, messages int, end bool, change func(e history.Event) history.Event) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, result.ScenarioFile), []byte(madeUp), 0o644); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := result.WriteRunInfo(dir, result.RunInfo{Name: "made-up", Scenario: "made-up", Seed: 1, Started: started}); err != nil {
		t.Fatal(err)
	}
	w, err := history.Create(filepath.Join(dir, result.HistoryFile), history.Header{Run: 1, Name: "made-up", Start: started})
	if err != nil {
		t.Fatal(err)
	}
	record := func(e history.Event) {
		if change != nil {
			e = change(e)
		}
		if e.Kind != 0 {
			w.Record(e)
		}
	}
	record(history.Event{Kind: history.Phase, Name: "baseline", At: 1})
	const gap = int64(100 * time.Microsecond)
	for i := range messages {
		id := queue.Identity{Run: 1, Producer: uint32(i%4) + 1, Seq: uint64(i / 4)}
		at := int64(i+1) * gap
		about := history.Event{Identity: id, Intended: at, Client: "producer-1", Group: "workers"}
		for j, kind := range []history.Kind{history.Invoke, history.Outcome, history.Deliver, history.Processed, history.Settle} {
			e := about
			e.Kind, e.At, e.Ack, e.Attempt = kind, at+int64(j)*gap/5, kind == history.Settle, 1
			if kind == history.Outcome || kind == history.Settle { // an invoke with an outcome was sent and confirmed at once
				e.Outcome = queue.OK
			}
			record(e)
		}
	}
	last := int64(messages+2) * gap
	record(history.Event{Kind: history.Phase, Name: "drain", At: last})
	record(history.Event{Kind: history.Drain, Group: "workers", Outcome: queue.OK, At: last})
	record(history.Event{Kind: history.Phase, At: last})
	if end {
		record(history.Event{Kind: history.End, At: last})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVerifyASoundHistory(t *testing.T) {
	res, err := gameday.Verify(folderOf(t, 4000, true, nil))
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != oracle.Pass || res.Counts.Acked != 4000 || res.Counts.Processed != 4000 {
		t.Errorf("verdict %s %v, counts %+v; want pass and 4000 of 4000", res.Verdict, res.Reasons, res.Counts)
	}
}

func TestVerifyFindsALoss(t *testing.T) {
	lost := queue.Identity{Run: 1, Producer: 2, Seq: 77}
	dir := folderOf(t, 4000, true, func(e history.Event) history.Event {
		if e.Identity == lost && e.Kind > history.Outcome {
			return history.Event{}
		}
		return e
	})
	res, err := gameday.Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != oracle.Fail || res.Counts.Lost != 1 {
		t.Errorf("verdict %s, lost %d; want fail and 1", res.Verdict, res.Counts.Lost)
	}
	if len(res.Witnesses) != 1 || res.Witnesses[0].Message != lost {
		t.Errorf("witnesses %+v, want %v alone", res.Witnesses, lost)
	}
}

func TestVerifyDoesNotPassABrokenOffHistory(t *testing.T) {
	res, err := gameday.Verify(folderOf(t, 4000, false, nil))
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != oracle.Unknown {
		t.Errorf("verdict %s of a history without an end, want unknown", res.Verdict)
	}
}

// BenchmarkVerify is `havoq verify` of a run of a million messages (five million events), and the self-test with it.
func BenchmarkVerify(b *testing.B) {
	dir := folderOf(b, 1_000_000, true, nil)
	for b.Loop() {
		res, err := gameday.Verify(dir)
		if err != nil {
			b.Fatal(err)
		}
		if res.Verdict != oracle.Pass {
			b.Fatal(res.Reasons)
		}
	}
	b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// The parts of a folder must be of one run: a history is judged by the scenario that was run, and by no other.
func TestVerifyRefusesWhatDoesNotBelongTogether(t *testing.T) {
	dir := folderOf(t, 100, true, nil)
	if err := result.WriteRunInfo(dir, result.RunInfo{Name: "another", Scenario: "made-up", Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := gameday.Verify(dir); err == nil || !strings.Contains(err.Error(), "put the files of one run together") {
		t.Errorf("another run's history: %v", err)
	}
	// Two runs of one scenario that begin within a second, in different folders, have one name.
	if err := result.WriteRunInfo(dir, result.RunInfo{Name: "made-up", Scenario: "made-up", Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := gameday.Verify(dir); err == nil || !strings.Contains(err.Error(), "began at") {
		t.Errorf("another run's history of the same name: %v", err)
	}
}

// A history whose last bytes are gone is not judged as if it were whole.
func TestVerifyTellsOfADamagedEnd(t *testing.T) {
	dir := folderOf(t, 100, true, nil)
	file := filepath.Join(dir, result.HistoryFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "garbage"...), 0o644); err != nil {
		t.Fatal(err)
	}
	res, err := gameday.Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict != oracle.Unknown || len(res.Reasons) == 0 || !strings.Contains(res.Reasons[0], "the end of the history is damaged") {
		t.Errorf("verdict %s %q, want unknown for a damaged end", res.Verdict, res.Reasons)
	}
}
