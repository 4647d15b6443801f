package report_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/report"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

const hostile = `</title></style></svg><script>alert(1)</script><img src=x onerror=alert(2)>"'` + "`" + ` onload="x" |[a](http://evil.example)| &lt; \x00` + "\x01\ufffe"

// poison puts hostile text wherever a result takes text from a scenario, a broker or a person.
func poison(r *result.Result) *result.Result {
	r.Title, r.Scenario, r.Hypothesis, r.Run, r.Again = hostile, hostile, hostile, hostile, hostile
	r.Workload, r.Contract, r.Expect, r.Started = hostile, hostile, hostile, hostile
	r.Reasons, r.Unproven = []string{hostile}, []string{hostile}
	r.Safety = result.Judgement{Verdict: oracle.Verdict(hostile), Reasons: []string{hostile, hostile}, RestsOn: []string{hostile}}
	r.Liveness = result.Judgement{Verdict: oracle.Pass, RestsOn: []string{hostile}}
	r.Claims = []oracle.Claim{
		oracle.NewClaim(hostile, hostile, 0, 1), {Anomaly: hostile, Unit: hostile, Text: hostile, Outlook: hostile}, oracle.NoClaim(hostile, hostile, hostile),
	}
	r.Roles = map[string]string{hostile: hostile}
	r.Environment = result.Environment{Havoq: hostile, Go: hostile, OS: hostile, Target: hostile, Set: map[string]string{hostile: hostile}}
	for i := range r.Criteria {
		r.Criteria[i] = oracle.Check{Expr: hostile, Verdict: oracle.Verdict(hostile), Value: hostile, Reason: hostile}
	}
	r.Guards = r.Criteria[:1]
	for i := range r.Faults {
		r.Faults[i].Name, r.Faults[i].What, r.Faults[i].Node = hostile, hostile, hostile
	}
	r.Recovery[0].Fault = hostile
	r.Outages[0].Group = hostile
	for i := range r.Phases {
		r.Phases[i].Name = hostile
	}
	for i := range r.Witnesses {
		w := &r.Witnesses[i]
		w.Anomaly, w.Attribution, w.Fault, w.Group = hostile, hostile, hostile, hostile
		for j := range w.Life {
			w.Life[j].What, w.Life[j].Detail = hostile, hostile
		}
	}
	for i := range r.Log {
		r.Log[i].Who, r.Log[i].Text = hostile, hostile
	}
	r.Timeline.Nodes[hostile] = []result.NodeState{{Window: oracle.Window{To: sec(9)}, State: hostile}}
	r.Timeline.Probes[hostile] = r.Timeline.Probes["checkout"]
	r.Probes[hostile], r.Resources[hostile] = result.Probe{OK: 1}, result.Resource{RSSMax: 1}
	r.Anomalies[hostile] = oracle.Anomaly{Total: 1}
	r.Latency[hostile] = result.Latency{Count: 1}
	r.Drains[0].Group, r.Drains[0].Detail = hostile, hostile
	r.SelfTest = oracle.SelfTest{Planted: 2, Found: 1, Missed: []string{hostile}}
	return r
}

func render(t *testing.T, f func(io.Writer, *result.Result) error, r *result.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page may have only the elements and attributes that the template and the pictures write.
func TestHTMLEscapesHostileText(t *testing.T) {
	page := render(t, report.HTML, poison(killRun()))
	for _, tag := range regexp.MustCompile(`<([a-zA-Z]+)[\s>]`).FindAllStringSubmatch(page, -1) {
		switch strings.ToLower(tag[1]) {
		case "script", "img", "iframe", "object", "embed", "link", "a", "form", "foreignobject", "use", "image":
			t.Fatalf("the page has a <%s>", tag[1])
		}
	}
	for _, bad := range []string{"<script", " onload=\"", "onerror=alert(2)>", "</title></style>"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;") {
		t.Error("the hostile text is nowhere, so nothing was tested")
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refused a value as unsafe")
	}
}

// The page loads nothing: no address in an attribute or in the style sheet, and a policy that names the style by its hash.
func TestHTMLNeedsNoNetwork(t *testing.T) {
	page := render(t, report.HTML, killRun())
	for _, bad := range []string{"http://", "https://", "//cdn", "@import", "src=", "href=", "style=", "<script", "unsafe-inline"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	for _, u := range regexp.MustCompile(`url\([^)]*\)`).FindAllString(page, -1) {
		if !strings.HasPrefix(u, "url(#") {
			t.Errorf("the page refers to %s", u)
		}
	}
	if !strings.Contains(page, "default-src &#39;none&#39;; style-src &#39;sha256-") {
		t.Error("the page has no strict policy")
	}
}

// Both pictures are in one page, so what one refers to must not be defined by the other.
func TestHTMLIdentifiersAreUnique(t *testing.T) {
	page := render(t, report.HTML, killRun())
	seen := map[string]bool{}
	for _, id := range regexp.MustCompile(`id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if seen[id[1]] {
			t.Errorf("id %q is there twice", id[1])
		}
		seen[id[1]] = true
	}
	for _, u := range regexp.MustCompile(`url\(#([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		if !seen[u[1]] {
			t.Errorf("url(#%s) refers to nothing", u[1])
		}
	}
}

func TestHTMLStaysSmall(t *testing.T) {
	r := killRun()
	long := strings.Repeat("a very long name ", 500)
	for i := range 5000 {
		r.Log = append(r.Log, result.LogLine{At: sec(float64(i)), Who: long, Text: long})
		r.Witnesses = append(r.Witnesses, life(oracle.Lost, "during", long, uint64(i)))
		r.Faults = append(r.Faults, result.Fault{FaultWindow: oracle.FaultWindow{Name: fmt.Sprint(long, i), What: long, Begin: sec(3)}})
		r.Phases = append(r.Phases, result.Phase{Name: long})
		r.Outages = append(r.Outages, oracle.Outage{Side: "produce", Window: oracle.Window{From: sec(float64(i)), To: sec(float64(i) + .5)}})
		name := fmt.Sprint("node-", i)
		r.Timeline.Nodes[name] = r.Timeline.Nodes["n3"]
		r.Timeline.Nodes["n1"] = append(r.Timeline.Nodes["n1"], result.NodeState{Window: oracle.Window{From: int64(i), To: int64(i + 1)}, State: "up"})
		r.Timeline.Probes[name] = r.Timeline.Probes["checkout"]
		r.Probes[name] = result.Probe{}
		r.Latency["e2e@"+name] = result.Latency{Count: 1}
		r.Criteria = append(r.Criteria, oracle.Check{Expr: long, Reason: long})
		r.Reasons = append(r.Reasons, long)
		r.Unproven = append(r.Unproven, long)
		r.Safety.RestsOn, r.Liveness.Reasons = append(r.Safety.RestsOn, long), append(r.Liveness.Reasons, long)
		r.Claims = append(r.Claims, oracle.NewClaim(oracle.Lost, long, 0, 1))
		r.Drains = append(r.Drains, result.Drain{Group: long, Detail: long})
		r.Environment.Set = map[string]string{long: long}
	}
	r.Verdict = oracle.Fail
	page := render(t, report.HTML, r)
	if len(page) > 2<<20 {
		t.Errorf("the page is %d bytes, more than 2 MiB", len(page))
	}
	if n := len(render(t, report.Markdown, r)); n > 1<<20 {
		t.Errorf("the Markdown is %d bytes, more than 1 MiB", n)
	}
}

// What was not measured is not known; a zero would be a lie.
func TestUnknownIsNotZero(t *testing.T) {
	r := unknownRun()
	page := render(t, report.HTML, r)
	for _, want := range []string{
		`<dt>lost</dt><dd class="not-known">not known</dd>`,
		`<dt>longest fail-over</dt><dd class="not-known">not known</dd>`,
		`<dt>p99 end to end</dt><dd class="not-known">not known</dd>`,
		"Most memory of all processes together: not known.",
		"Lost  not known", "Still queued  not known",
		`<td data-label="anomaly">lost</td><td data-label="meaning">acked by the broker, and nowhere</td><td data-label="total" class="not-known">not known</td>`,
		`<td data-label="seen in force after" class="not-known">not known</td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	text := render(t, report.Markdown, r)
	if !strings.Contains(text, "| not known | not known |\n") {
		t.Error("the Markdown shows queued and lost of a queue that was not drained")
	}
}

func TestEmptyResult(t *testing.T) {
	for name, f := range map[string]func(io.Writer, *result.Result) error{"html": report.HTML, "md": report.Markdown, "junit": report.JUnit} {
		if out := render(t, f, &result.Result{}); out == "" || strings.Contains(out, "NaN") {
			t.Errorf("%s of an empty result: %q", name, out)
		}
	}
}

func TestMarkdownEscapesHostileText(t *testing.T) {
	text := render(t, report.Markdown, poison(killRun()))
	inCode := regexp.MustCompile("`[^`]*`")
	if plain := inCode.ReplaceAllString(strings.ReplaceAll(text, "\\`", ""), ""); strings.Contains(plain, "<script") || strings.Contains(plain, "<img") || strings.Contains(plain, "[a](") {
		t.Error("hostile text is live in the Markdown")
	}
}

func TestJUnit(t *testing.T) {
	type suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
			} `xml:"failure"`
			Error *struct {
				Message string `xml:"message,attr"`
			} `xml:"error"`
		} `xml:"testcase"`
	}
	unexpected := lossRun()
	unexpected.Expected, unexpected.Expect = nil, ""
	for _, c := range []struct {
		name                    string
		r                       *result.Result
		tests, failures, errors int
	}{
		{"pass", killRun(), 11, 0, 0},
		{"fails as expected", lossRun(), 11, 0, 0},
		{"fails", unexpected, 11, 3, 2},
		{"unknown", unknownRun(), 6, 0, 6},
		{"aborted", abortedRun(), 7, 2, 5},
		{"hostile", poison(killRun()), 11, 0, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s suite
			text := render(t, report.JUnit, c.r)
			if err := xml.Unmarshal([]byte(text), &s); err != nil {
				t.Fatal(err)
			}
			if s.Tests != c.tests || len(s.Cases) != c.tests || s.Failures != c.failures || s.Errors != c.errors {
				t.Errorf("%d tests, %d cases, %d failures, %d errors; want %d, %d, %d, %d\n%s",
					s.Tests, len(s.Cases), s.Failures, s.Errors, c.tests, c.tests, c.failures, c.errors, text)
			}
			for _, tc := range s.Cases {
				if tc.Failure != nil && tc.Failure.Message == "" || tc.Error != nil && tc.Error.Message == "" {
					t.Errorf("case %s fails without a message", tc.Name)
				}
			}
		})
	}
}
