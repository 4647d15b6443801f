package oracle_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// Sixteen histories are what other oracles were tried on, and where each of them is wrong somewhere. They are held twice, so that
// neither a file nor its expectation can be lost or bent unseen.
func TestTheSixteen(t *testing.T) {
	sixteen := map[string]struct {
		verdict oracle.Verdict
		figures map[string]float64
	}{
		"clean":                          {oracle.Pass, nil},
		"lost-middle":                    {oracle.Fail, map[string]float64{"lost": 1, "middle": 1}},
		"lost-tail":                      {oracle.Fail, map[string]float64{"lost": 3, "tail": 3}},
		"lost-and-duplicated":            {oracle.Fail, map[string]float64{"lost": 1, "duplicated": 1}},
		"redelivered":                    {oracle.Pass, map[string]float64{"redelivered": 1}},
		"duplicated-after-ack":           {oracle.Fail, map[string]float64{"duplicated": 1}},
		"reordered-across-keys":          {oracle.Pass, nil},
		"reordered-within-key":           {oracle.Fail, map[string]float64{"reordered": 1}},
		"reordered-hidden-by-redelivery": {oracle.Fail, map[string]float64{"reordered": 1, "redelivered": 1}},
		"corrupted":                      {oracle.Fail, map[string]float64{"corrupted": 1}},
		"phantom":                        {oracle.Fail, map[string]float64{"unexpected": 1}},
		"in-doubt-arrived":               {oracle.Pass, map[string]float64{"in_doubt": 1, "in_doubt_processed": 1}},
		"in-doubt-never-arrived":         {oracle.Pass, map[string]float64{"in_doubt": 1, "in_doubt_processed": 0}},
		"failed-arrived":                 {oracle.Fail, map[string]float64{"failed_but_delivered": 1}},
		"late":                           {oracle.Fail, map[string]float64{"late": 1}},
		"outage-none-lost":               {oracle.Pass, map[string]float64{"produce.outages": 1, "produce.seconds": 3}},
	}
	if len(sixteen) != 16 {
		t.Fatalf("they are %d", len(sixteen))
	}
	for name, want := range sixteen {
		s := readTale(t, "testdata/"+name+".txt")
		r := s.judge(oracle.New(oracle.Config{Contract: s.contract}))
		got := figures(r)
		for _, anomaly := range oracle.Names() {
			if got[anomaly] != want.figures[anomaly] {
				t.Errorf("%s: %v %s, want %v", name, got[anomaly], anomaly, want.figures[anomaly])
			}
		}
		for figure, n := range want.figures {
			if got[figure] != n {
				t.Errorf("%s: %s is %v, want %v", name, figure, got[figure], n)
			}
		}
		if r.Verdict != want.verdict {
			t.Errorf("%s: %s, want %s", name, r.Verdict, want.verdict)
		}
	}
}

// A corpus that is not there holds nothing, and must not look like one that holds everything.
func TestEmptyCorpusFails(t *testing.T) {
	for dir, least := range map[string]bool{t.TempDir(): false, "testdata": true} {
		if files, err := corpus(dir); (err == nil) != least {
			t.Errorf("%s: %d files, %v", dir, len(files), err)
		}
	}
}

// doubt is why a verdict is unknown, as the reasons tell it.
type doubt struct {
	says string // a pattern
	// also: it never comes alone, so that without it the verdict is the same; the corpus holds the words of it.
	also bool
	// beside is the test that holds it, where no short history can.
	beside string
}

func doubts() []doubt {
	return []doubt{
		{says: `^the run was aborted by `},
		{says: `^the history is not complete: it has no end`},
		{says: `^the history has \d+ events after its end$`},
		{says: `^the history has \d+ stages of a fault that never began$`},
		{says: `^the history has \d+ hits of a fault that never began$`},
		{says: `^the history has \d+ events of the unknown kind`},
		{says: `^the history has \d+ gaps of an unknown kind$`},
		{says: `^the history has \d+ messages that the recorder could not tell apart`},
		{says: `^the history has \d+ messages that a source could not tell, or missed$`, beside: "TestGapOfASource"},
		{says: `^the history has \d+ events of more than 64 groups`, beside: "TestTooManyGroupsIsUnknown"},
		{says: `^the history has \d+ sends of another run`},
		{says: `^the history has \d+ sends far beyond their track's sequence`},
		{says: `^the history has \d+ forwards of messages that were never sent$`},
		{says: `^the history has \d+ reservations of another run`},
		{says: `^the history has \d+ reservations that cannot be`},
		{says: `^the history has \d+ outcomes of another run`},
		{says: `^the history has \d+ outcomes of messages that were never sent$`},
		{says: `^the history has \d+ outcomes without a send$`},
		{says: `^the history has \d+ work on messages of another run$`},
		{says: `^the history has \d+ too many sources$`, beside: "TestTooManySourcesIsUnknown"},
		{says: `^the history has \d+ sources that cannot see what this version does not know$`},
		{says: `^.* == 0: .* cannot see what is .*: take the promise out of the contract`},
		{says: `^the judge's own account does not add up`, beside: "TestAccountIsHeldAgainstTheEvents"},
		{says: `^the contract promises delivery "`},
		{says: `^the contract promises order "`},
		{says: `^the contract forgives "`},
		{says: `^the contract allows "`},
		{says: `^nothing was sent$`, also: true},
		{says: `^nothing was acked$`},
		{says: `^nothing was processed$`},
		{says: `^no consumer group was seen$`, also: true},
		{says: `^group ".*" was not drained: the history has no drain of it`},
		{says: `^group ".*" was not drained: it got messages after its drain`},
		{says: `^group ".*" was not drained: messages were acked after its drain`},
		{says: `^group ".*" was not drained: the broker holds \d+ more messages`},
		{says: `^group ".*" was not drained( \(.*\))?$`},
		{says: `^\d+ acked messages are unaccounted for$`},
		{says: `^group ".*" got nothing of stream \d+, which group ".*" read`},
		{says: `^the history was cut off: \d+ messages were received of which it does not tell`, also: true},
		{says: `^the outages of the producers are too many`, beside: "TestTooManyOutages"},
		{says: `^the outages of group ".*" are too many`, beside: "TestTooManyOutages"},
		{says: `^fault .* was never seen in force$`},
		{says: `^fault .* never struck anything$`},
		{says: `^fault .* was not seen gone by the end$`},
		{says: `^.* == 0: nothing was acked$`, also: true},
		{says: `^.* == 0: nothing was delivered$`, also: true},
		{says: `^.* == 0: \d+ messages were processed and the history does not tell of their delivery$`},
		{says: `^.* == 0: \d+ acked messages are missing that may have got to another topic`, also: true},
		{says: `^duplicated == 0: the recorder forgot \d+ messages that waited to be sent again`},
		{says: `^reordered == 0: the recorder forgot \d+ keys`},
		{says: `^reordered == 0: the order of \d+ messages could not be judged`},
		{says: `^reordered == 0: no two messages were ever sent one after the other's ack`},
		{says: `^.* == 0: this check crashed`, beside: "TestCrashedCheckIsUnknown"},
	}
}

// Every doubt decides some verdict of the corpus: a judge that did not have it would say pass there. Where it never comes alone,
// a history names its words. And there is no doubt that is not held so.
func TestEveryDoubtIsNeeded(t *testing.T) {
	list := doubts()
	decides, named := make([]int, len(list)), make([]int, len(list))
	for _, s := range tales(t) {
		r := s.judge(oracle.New(oracle.Config{Contract: s.contract}))
		for _, reason := range r.Reasons {
			known := strings.Contains(reason, "== 0: found ")
			for i, d := range list {
				if !regexp.MustCompile(d.says).MatchString(reason) {
					continue
				}
				known = true
				others := slices.ContainsFunc(r.Reasons, func(o string) bool { return !regexp.MustCompile(d.says).MatchString(o) })
				if r.Verdict == oracle.Unknown && !others {
					decides[i]++
				}
				if slices.ContainsFunc(s.reasons, func(part string) bool { return strings.Contains(reason, part) }) {
					named[i]++
				}
			}
			if !known {
				t.Errorf("%s: the reason %q is in no list of this test", s.name, reason)
			}
		}
	}
	for i, d := range list {
		switch {
		case d.beside != "":
		case d.also && named[i] == 0:
			t.Errorf("no history names the reason %q", d.says)
		case !d.also && decides[i] == 0:
			t.Errorf("no history is unknown by the reason %q alone", d.says)
		}
	}
}

// Every figure is expected to be something by a history, so that a judge that never counted it would be noticed.
func TestEveryFigureIsHeld(t *testing.T) {
	held := map[string]bool{}
	all := map[string]bool{"produce.outages": true, "produce.seconds": true, "consume.outages": true, "consume.seconds": true,
		"failover": true, "consume": true, "lag": true}
	for _, s := range tales(t) {
		for name, n := range s.expect {
			held[name] = held[name] || n != 0
		}
		for name := range figures(s.judge(oracle.New(oracle.Config{Contract: s.contract}))) {
			if !strings.HasSuffix(name, ".1") { // of a second fault
				all[name] = true
			}
		}
	}
	// What no fault can cause, or what is no anomaly by itself, has no history.
	for _, never := range []string{"unexpected.caused", "failed_but_delivered.caused"} {
		if held[never] {
			t.Errorf("%s is not impossible any more: take it off this list", never)
		}
		delete(all, never)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !held[name] {
			t.Errorf("no history expects anything of %s", name)
		}
	}
}

// deaf is a judge that does not hear something, given as what it does to the events; nil: it never gets that event.
type deaf struct {
	name string
	hear func(e history.Event) *history.Event
	// harmless: the judgement must not depend on it.
	harmless bool
}

func deafJudges() []deaf {
	var all []deaf
	for kind := history.Invoke; kind <= history.Source; kind++ {
		all = append(all, deaf{
			name: "no " + kind.String(),
			hear: func(e history.Event) *history.Event {
				if e.Kind == kind {
					return nil
				}
				return &e
			},
			harmless: slices.Contains([]history.Kind{history.Node, history.Probe, history.Note}, kind),
		})
	}
	fields := []struct {
		name     string
		harmless bool
		clear    func(*history.Event)
	}{
		{"outcome", false, func(e *history.Event) { e.Outcome = queue.Unknown }},
		{"failed", false, func(e *history.Event) {
			if e.Outcome == queue.Failed {
				e.Outcome = queue.Unknown
			}
		}},
		{"damage", false, func(e *history.Event) { e.Damage = history.Sound }},
		{"ack", false, func(e *history.Event) { e.Ack = true }},
		{"run", false, func(e *history.Event) { e.Identity.Run = 7 }},
		{"producer", false, func(e *history.Event) { e.Identity.Producer = 1 }},
		{"epoch", false, func(e *history.Event) { e.Identity.Epoch = 0 }},
		{"stream", false, func(e *history.Event) { e.Identity.Stream = 0 }},
		{"number", false, func(e *history.Event) { e.Identity.Seq = 0 }},
		{"back", false, func(e *history.Event) { e.Back = 0 }},
		{"time", false, func(e *history.Event) { e.At = 1 }},
		{"intended", false, func(e *history.Event) { e.Intended = e.At }},
		{"claim", false, func(e *history.Event) { e.Claim = 0 }},
		{"value", false, func(e *history.Event) { e.Value = 0 }},
		{"group", false, func(e *history.Event) { e.Group = "g" }},
		{"topic", false, func(e *history.Event) {
			if e.Kind < history.FaultBegin {
				e.Name = ""
			}
		}},
		{"name", false, func(e *history.Event) {
			if e.Kind >= history.FaultBegin {
				e.Name = "x"
			}
		}},
		{"node", false, func(e *history.Event) { e.Node = "" }},
		{"detail", false, func(e *history.Event) { e.Detail = "" }},
		{"duplicate", true, func(e *history.Event) { e.Duplicate = !e.Duplicate }},
		{"partition", true, func(e *history.Event) { e.Partition++ }},
		{"offset", true, func(e *history.Event) { e.Offset++ }},
	}
	for _, f := range fields {
		all = append(all, deaf{"no " + f.name, func(e history.Event) *history.Event { f.clear(&e); return &e }, f.harmless})
	}
	return all
}

// A judge that ignores a kind of event, or what one of its fields says, is noticed by the corpus.
func TestEveryEventIsHeard(t *testing.T) {
	all := tales(t)
	for _, d := range deafJudges() {
		var noticed []string
		for _, s := range all {
			j := oracle.New(oracle.Config{Contract: s.contract})
			for _, e := range s.events {
				if heard := d.hear(e); heard != nil {
					j.Observe(heard)
				}
			}
			if len(s.differences(j.Result())) > 0 {
				noticed = append(noticed, s.name)
			}
		}
		if d.harmless != (len(noticed) == 0) {
			t.Errorf("%s: noticed by %q, and harmless is %v", d.name, noticed, d.harmless)
		}
	}
}
