package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Stamp    string      `xml:"timestamp,attr,omitempty"`
	Cases    []junitCase `xml:"testcase"`
	Output   string      `xml:"system-out"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the result for continuous integration: a test case for each criterion and guard, and one for the verdict and for
// each of its halves, so that a run that is not a pass is never green: what is not known, or was ended early, is an error. A run that came to exactly
// what its scenario expects is green, with the broken criteria told in the output.
func JUnit(w io.Writer, r *result.Result) error {
	s := &junitSuite{Name: clean(r.Scenario), Time: fmt.Sprintf("%.3f", r.Seconds), Stamp: strings.TrimSuffix(r.Started, "Z")}
	expected := r.Expected != nil && *r.Expected
	s.add(verdictCase(r, expected))
	for _, h := range halves(r) {
		s.add(checkCase(r, "verdict", oracle.Check{Expr: h.Name, Verdict: h.Verdict, Value: verdictWord(h.Verdict), Reason: h.How}, expected))
	}
	for _, c := range r.Criteria {
		s.add(checkCase(r, "criterion", c, expected))
	}
	for _, g := range r.Guards {
		s.add(checkCase(r, "guard", g, expected))
	}
	s.Output = clean(output(r))
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write the JUnit report of %s: %w", r.Run, err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("write the JUnit report of %s: %w", r.Run, err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	}
	s.Cases = append(s.Cases, c)
}

func verdictCase(r *result.Result, expected bool) junitCase {
	c := junitCase{Class: clean(r.Scenario), Name: "verdict", Time: fmt.Sprintf("%.3f", r.Seconds)}
	why := clean(strings.Join(r.Reasons, "\n"))
	switch {
	case expected:
	case r.Expected != nil:
		c.Failure = &junitProblem{clean(headline(r)), "not as expected", why}
	case r.Verdict == oracle.Fail:
		c.Failure = &junitProblem{clean(headline(r)), "fail", why}
	case r.Verdict != oracle.Pass:
		c.Error = &junitProblem{clean(headline(r)), string(r.Verdict), why}
	}
	return c
}

func checkCase(r *result.Result, kind string, check oracle.Check, expected bool) junitCase {
	c := junitCase{Class: clean(r.Scenario) + "." + kind, Name: clean(check.Expr), Time: "0"}
	if expected {
		return c
	}
	message := clean("found " + check.Value)
	switch check.Verdict {
	case oracle.Pass:
	case oracle.Fail:
		c.Failure = &junitProblem{message, "fail", clean(check.Reason)}
	default:
		c.Error = &junitProblem{message, verdictClass(check.Verdict), clean(check.Reason)}
	}
	return c
}

func output(r *result.Result) string {
	s := Summarize(r)
	lines := []string{s.Headline}
	for _, h := range s.Halves {
		lines = append(lines, fmt.Sprintf("%s %s: %s", h.Name, verdictWord(h.Verdict), h.How))
	}
	lines = append(append(lines, s.Facts...), chanceSentence(r))
	for _, c := range append(r.Criteria[:len(r.Criteria):len(r.Criteria)], r.Guards...) {
		lines = append(lines, fmt.Sprintf("%s  %s  (found %s)", verdictWord(c.Verdict), c.Expr, c.Value))
	}
	return strings.Join(append(lines, "again: "+r.Again), "\n")
}

// clean drops what XML cannot carry at all, escaped or not.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' || c >= 0x20 && c != 0xFFFE && c != 0xFFFF && c != 0xFFFD {
			return c
		}
		return '?'
	}, s)
}
