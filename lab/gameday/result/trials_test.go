package result

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/oracle"
)

// A fault is a trial if it was seen in force, struck, and was met by a send; what was in force at the same time is one trial.
func TestTrials(t *testing.T) {
	window := func(what string, begin, gone int64) Fault {
		return Fault{Exposed: 5, FaultWindow: oracle.FaultWindow{What: what, Begin: begin, Seen: begin + 1, Gone: gone, Hits: 1}}
	}
	change := func(f Fault, by func(*Fault)) Fault {
		by(&f)
		return f
	}
	for _, c := range []struct {
		name   string
		faults []Fault
		want   map[string]int
	}{
		{"one after the other", []Fault{window("kill n1", 10, 20), window("kill n2", 30, 40)}, map[string]int{"kill": 2}},
		{"told in another order", []Fault{window("kill n2", 30, 40), window("kill n1", 10, 20)}, map[string]int{"kill": 2}},
		{"at the same time", []Fault{window("kill n1", 10, 20), window("kill n2", 11, 40), window("kill n3", 39, 41)}, map[string]int{"kill": 1}},
		{"one within the other", []Fault{window("kill n1", 10, 40), window("kill n2", 11, 20), window("kill n3", 30, 35)}, map[string]int{"kill": 1}},
		{"one never ends", []Fault{window("kill n1", 10, 0), window("kill n2", 30, 40)}, map[string]int{"kill": 1}},
		{"several verbs", []Fault{window("kill n1", 10, 20), window("pause n2", 11, 40)}, map[string]int{"kill": 1, "pause": 1}},
		{"an application and a node", []Fault{
			change(window("kill billing", 10, 20), func(f *Fault) { f.Layer = "application" }), window("kill n2", 30, 40),
		}, map[string]int{"kill": 1, "application kill": 1}},
		{"never seen", []Fault{change(window("kill n1", 10, 20), func(f *Fault) { f.Seen = 0 })}, map[string]int{"kill": 0}},
		{"never struck", []Fault{change(window("kill n1", 10, 20), func(f *Fault) { f.Hits = 0 })}, map[string]int{"kill": 0}},
		{"never met", []Fault{change(window("kill n1", 10, 20), func(f *Fault) { f.Exposed = 0 })}, map[string]int{"kill": 0}},
		{"the oracle knows better who was met", []Fault{
			change(window("kill n1", 10, 20), func(f *Fault) { f.FaultWindow.Exposed = 3 }), window("kill n1", 30, 40),
		}, map[string]int{"kill": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := map[string]int{}
			for verb, list := range (&Result{Faults: c.faults}).trials() {
				got[verb] = len(list)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Of several faults each has its own count; where that is not told, nothing is claimed.
func TestClaimsOfSeveralFaults(t *testing.T) {
	window := func(begin int64, lost int64) Fault {
		f := Fault{Exposed: 5, FaultWindow: oracle.FaultWindow{What: "kill n1", Begin: begin, Seen: begin + 1, Gone: begin + 2, Hits: 1}}
		if lost > 0 {
			f.Anomalies = map[string]int64{oracle.Lost: lost}
		}
		return f
	}
	r := &Result{
		Complete: true, Drained: true, Faults: []Fault{window(10, 0), window(20, 70), window(30, 0)},
		Anomalies: map[string]oracle.Anomaly{oracle.Lost: {Total: 70, During: 69, Caused: 1}},
	}
	checks := []oracle.Check{{Expr: "lost == 0", Verdict: oracle.Fail}}
	if diff := cmp.Diff(oracle.NewClaim(oracle.Lost, "kill", 1, 3), claims(r, checks, nil)[0]); diff != "" {
		t.Error(diff)
	}
	r.Faults[1].Anomalies = nil
	if c := claims(r, checks, nil)[0]; c.Unknown != "it is not known to which faults they fell" {
		t.Errorf("%+v", c)
	}
	if c := claims(r, []oracle.Check{{Expr: "late == 0", Verdict: oracle.Unknown, Reason: "nothing was timed"}}, nil)[0]; c.Unknown != "nothing was timed" {
		t.Errorf("%+v", c)
	}
	if c := claims(r, checks, nil)[1]; c.Unit != oracle.PerMessage || !strings.HasPrefix(c.Unknown, "70 came up") {
		t.Errorf("%+v", c)
	}
	r.Anomalies = nil
	if c := claims(r, checks, nil)[1]; c.Unit != oracle.PerMessage || c.Unknown != "there was no trial" {
		t.Errorf("no message met a fault: %+v", c)
	}
	for i := range r.Faults {
		r.Faults[i].Seen = 0
	}
	if c := claims(r, checks, nil)[0]; c.Unknown != "none was seen in force and met by a send" {
		t.Errorf("%+v", c)
	}
	r.Drained = false
	if c := claims(r, checks, nil)[0]; c.Unknown != "it is not known how many there are" {
		t.Errorf("%+v", c)
	}
}
