package criteria

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/havoqlab/havoq/lab/suggest"
)

// maxText bounds an expression; a longer one is a mistake.
const maxText = 256

// SyntaxError is an expression that cannot be read. Column counts characters of the expression from 1.
type SyntaxError struct {
	Text   string
	Column int
	Msg    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%q column %d: %s", e.Text, e.Column, e.Msg)
}

// Parse reads a criterion: what must hold at the end of a run. The error is a *SyntaxError.
func Parse(text string) (Criterion, error) {
	p := parser{text: text, metrics: Metrics(), phases: true}
	c, err := p.criterion()
	if err != nil {
		return Criterion{}, err
	}
	end := p.at
	if word, at := p.word(); word == "for" {
		return Criterion{}, p.errorf(at, `"for" belongs to guards: a criterion is judged once, at the end`)
	}
	p.at = end
	return c, p.end()
}

// ParseGuard reads a guard: what must hold all along, with the time that it may be broken. The error is a *SyntaxError.
func ParseGuard(text string) (Criterion, error) {
	p := parser{text: text, metrics: Metrics(), live: true}
	c, err := p.criterion()
	if err != nil {
		return Criterion{}, err
	}
	word, at := p.word()
	if word != "for" {
		return Criterion{}, p.errorf(at, `a guard says how long it may be broken: add "for 20s"`)
	}
	bound, at := p.bound()
	c.For, err = ParseDuration(bound)
	switch {
	case err != nil:
		return Criterion{}, p.errorf(at, "%v", err)
	case c.For <= 0 || c.For > 24*time.Hour:
		return Criterion{}, p.errorf(at, "%q: a guard's time is more than 0s and at most 24h", bound)
	}
	return c, p.end()
}

// ParseFact reads a prerequisite, over the metrics of FactMetrics: "cluster.nodes >= 3". The error is a *SyntaxError.
func ParseFact(text string) (Criterion, error) {
	p := parser{text: text, metrics: FactMetrics()}
	c, err := p.criterion()
	if err != nil {
		return Criterion{}, err
	}
	return c, p.end()
}

// ParseBound reads a comparison without its metric: "> 0" for the count named metric. The error is a *SyntaxError.
func ParseBound(metric, text string) (Criterion, error) {
	p := parser{text: text, metrics: Counts()}
	m, ok := find(p.metrics, metric)
	if !ok {
		return Criterion{}, p.errorf(0, "unknown count %q%s", metric, suggest.DidYouMean(metric, names(p.metrics)))
	}
	c, err := p.comparison(Criterion{Text: metric + " " + text, Query: Query{Metric: metric}}, m)
	if err != nil {
		return Criterion{}, err
	}
	return c, p.end()
}

type parser struct {
	text    string
	at      int // next byte
	metrics []Metric
	phases  bool // queries may be limited to a phase, and bounds relative to the baseline
	live    bool // only metrics known during the run
}

func (p *parser) errorf(at int, format string, args ...any) error {
	return &SyntaxError{p.text, utf8.RuneCountInString(p.text[:at]) + 1, fmt.Sprintf(format, args...)}
}

func (p *parser) criterion() (Criterion, error) {
	c := Criterion{Text: p.text}
	if len(p.text) > maxText {
		return c, p.errorf(0, "longer than %d bytes: write one comparison", maxText)
	}
	m, q, err := p.query()
	if err != nil {
		return c, err
	}
	c.Query = q
	return p.comparison(c, m)
}

func (p *parser) query() (Metric, Query, error) {
	word, at := p.word()
	if word == "" {
		return Metric{}, Query{}, p.errorf(at, `expected a metric, as in "lost == 0" or "p99(latency.e2e) < 200ms"`)
	}
	if !p.take('(') {
		m, err := p.metric(word, at)
		if err == nil && len(m.Aggs) > 0 {
			err = p.errorf(at, "%s is a series: say which number of it, as in %s(%s); there are %s",
				word, m.Aggs[0], word, strings.Join(m.Aggs, ", "))
		}
		return m, Query{Metric: word}, err
	}
	return p.aggregate(word, at)
}

func (p *parser) aggregate(agg string, aggAt int) (Metric, Query, error) {
	q := Query{Agg: agg}
	word, at := p.word()
	m, err := p.metric(word, at)
	if err != nil {
		return m, q, err
	}
	q.Metric = word
	switch {
	case len(m.Aggs) == 0:
		return m, q, p.errorf(aggAt, "%s is one number: write it without %s( )", word, agg)
	case !slices.Contains(m.Aggs, agg):
		return m, q, p.errorf(aggAt, "unknown aggregation %q of %s; there are %s", agg, word, strings.Join(m.Aggs, ", "))
	}
	if p.take(',') {
		if q.Phase, err = p.phase(m); err != nil {
			return m, q, err
		}
	}
	if !p.take(')') {
		return m, q, p.errorf(p.at, `expected ")" after %s`, word)
	}
	return m, q, nil
}

func (p *parser) phase(m Metric) (string, error) {
	word, at := p.word()
	switch {
	case p.live:
		return "", p.errorf(at, "a guard watches the present: it cannot be limited to a phase")
	case !p.phases || !m.Phase:
		return "", p.errorf(at, "%s is of the whole run: it cannot be limited to a phase", m.Name)
	case !slices.Contains(Phases(), word):
		return "", p.errorf(at, "unknown phase %q; there are %s", word, strings.Join(Phases(), ", "))
	}
	return word, nil
}

func (p *parser) metric(name string, at int) (Metric, error) {
	list := p.metrics
	if probe, what, ok := splitProbe(name); ok && slices.ContainsFunc(list, isProbe) {
		list = probeMetrics(probe)
		if _, known := find(list, name); !known {
			return Metric{}, p.errorf(at, "unknown metric %q: a probe has ok, failed and latency, not %q", name, what)
		}
	}
	m, ok := find(list, name)
	switch {
	case name == "":
		return m, p.errorf(at, "expected a metric")
	case !ok:
		remedy := suggest.DidYouMean(name, names(list))
		if remedy == "" {
			remedy = "; there are " + strings.Join(names(list), ", ")
		}
		return m, p.errorf(at, "unknown metric %q%s", name, remedy)
	case p.live && !m.Live:
		return m, p.errorf(at, "%s is not watched during the run: make it a criterion, or guard error_rate, a rate, lag or a probe", name)
	}
	return m, nil
}

func isProbe(m Metric) bool { return strings.HasPrefix(m.Name, "probe.") }

func (p *parser) comparison(c Criterion, m Metric) (Criterion, error) {
	op, at := p.operator()
	if !slices.Contains(Ops(), op) {
		if op == "=" {
			return c, p.errorf(at, `unknown operator "=", did you mean "=="?`)
		}
		return c, p.errorf(at, "expected a comparison after %s: one of %s", c.Query, strings.Join(Ops(), " "))
	}
	c.Op = op
	text, at := p.bound()
	if text == "" {
		return c, p.errorf(at, "expected a number after %s", op)
	}
	var err error
	if factor, ok := strings.CutSuffix(text, "x"); ok && p.phases {
		c.Relative = true
		if !m.Phase {
			return c, p.errorf(at, "%q: %s has no value of its own in the baseline to compare with", text, m.Name)
		}
		if c.Bound, err = parseNumber(factor); err != nil {
			return c, p.errorf(at, `%q: a multiple of the baseline is a number with x, as in "2x"`, text)
		}
		return c, nil
	}
	if c.Bound, err = parseBound(text, m.Unit); err != nil {
		return c, p.errorf(at, "%v", err)
	}
	return c, nil
}

func (p *parser) end() error {
	if p.space(); p.at < len(p.text) {
		return p.errorf(p.at, "unexpected %q: one comparison each", p.text[p.at:])
	}
	return nil
}

func (p *parser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

func (p *parser) take(c byte) bool {
	if p.space(); p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) while(keep func(c byte) bool) (string, int) {
	p.space()
	start := p.at
	for p.at < len(p.text) && keep(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at], start
}

func (p *parser) word() (string, int) {
	return p.while(func(c byte) bool {
		return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c == '-' || c >= utf8.RuneSelf
	})
}

func (p *parser) operator() (string, int) {
	return p.while(func(c byte) bool { return strings.IndexByte("<>=!~", c) >= 0 })
}

func (p *parser) bound() (string, int) {
	return p.while(func(c byte) bool { return c != ' ' && c != '\t' })
}
