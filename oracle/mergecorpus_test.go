package oracle_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// Every history of the corpus, in shards and in sides.
func TestCorpusMerged(t *testing.T) {
	judged := 0
	for _, s := range tales(t) {
		c := oracle.Config{Contract: s.contract, Witnesses: 1 << 10}
		whole := judgeWith(c, s.events)
		for seed := range uint64(8) {
			p := newParts(c, 3, seed)
			p.observe(s.events, byTrack(3, seed), always)
			merged, err := p.merge()
			switch {
			case err != nil && strings.Contains(err.Error(), "different runs"):
				continue
			case err != nil:
				t.Errorf("%s (%d): %v", s.name, seed, err)
				continue
			}
			judged++
			for _, d := range mergedDiffers(whole, merged) {
				t.Errorf("%s (%d): %s\n%q\n%q", s.name, seed, d, whole.Reasons, merged.Reasons)
			}
		}
		p := newParts(c, 2, 0)
		p.observe(s.events, bySide, always)
		if err := p.judges[0].Merge(p.judges[1]); err != nil {
			t.Logf("%s, in sides: %v", s.name, err)
			continue
		}
		for _, d := range sidesDiffer(whole, p.judges[0].Result(), false, false) {
			t.Errorf("%s, in sides: %s", s.name, d)
		}
	}
	if judged < 100 {
		t.Errorf("only %d were judged", judged)
	}
}

// What machines with clocks of their own recorded is one history, and judged as that.
func TestHistoriesMerged(t *testing.T) {
	start := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	checkMany(t, anyRuns/2, func(t *rapid.T) {
		s := drawRun(t)
		pieces, begun := make([][]history.Event, 3), []int64{0, 0, 0}
		for i := range begun {
			begun[i] = rapid.Int64Range(0, 1e12).Draw(t, "begun")
		}
		end := s.events[len(s.events)-1]
		for _, e := range s.events[:len(s.events)-1] {
			n := 2 // what tells of no message
			switch e.Client {
			case "":
			case clientOf(&history.Event{Group: "a"}):
				n = 0
			default:
				n = 1
			}
			if e.Kind == history.Invoke && e.Name == "" {
				n = int(e.Identity.Producer % 2) // who tells of a track's sends is one
			}
			e.At += 1e12 - begun[n]
			if e.Intended != 0 {
				e.Intended += 1e12 - begun[n]
			}
			pieces[n] = append(pieces[n], e)
		}
		var parts []history.Piece
		for i, events := range pieces {
			last := end
			last.At += 1e12 - begun[i]
			parts = append(parts, history.Piece{Events: slices.Values(append(events, last)), Start: start.Add(time.Duration(begun[i]))})
		}
		m, err := history.Merge(parts...)
		if err != nil {
			t.Fatal(err)
		}
		whole, merged := judge(s.contract, s.events), oracle.JudgeAll(s.contract, m.Events)
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		merged.Faults, whole.Faults = nil, nil // at other times
		if d := mergedDiffers(whole, merged); len(d) > 0 {
			t.Fatalf("%s\n%s", strings.Join(d, "\n"), story(s.events))
		}
	})
}

// A judge of deliveries alone has no idea how far a track got: that is no reason to accuse.
func TestFarSidesMerged(t *testing.T) {
	const n = 3 << 16
	c := oracle.Config{Contract: oracle.Contract{Delivery: oracle.ExactlyOnce}}
	sends, reads := oracle.New(c), oracle.New(c)
	at := int64(0)
	tell := func(j *oracle.Judge, e history.Event) {
		at++
		e.At = at
		j.Observe(&e)
	}
	for seq := range uint64(n) {
		id := queue.Identity{Run: 9, Seq: seq}
		tell(sends, history.Event{Kind: history.Invoke, Identity: id})
		tell(sends, history.Event{Kind: history.Outcome, Identity: id, Outcome: queue.OK})
		for _, k := range []history.Kind{history.Deliver, history.Processed, history.Settle} {
			if seq != n/2 { // that one is lost
				tell(reads, history.Event{Kind: k, Identity: id, Group: "a", Ack: true, Outcome: queue.OK})
			}
		}
	}
	tell(reads, history.Event{Kind: history.Drain, Group: "a", Outcome: queue.OK})
	for _, j := range []*oracle.Judge{sends, reads} {
		tell(j, history.Event{Kind: history.End})
	}
	if err := reads.Merge(sends); err != nil {
		t.Fatal(err)
	}
	r := reads.Result()
	if r.Counts.Lost != 1 || r.Counts.LostMiddle != 1 || r.Counts.Processed != n-1 || r.Anomalies[oracle.Unexpected].Total != 0 || len(r.Reasons) != 1 {
		t.Errorf("%+v %+v %q", r.Counts, r.Anomalies, r.Reasons)
	}
}
