package criteria

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

type scale struct {
	unit   string
	factor float64
}

// sizes and rates list the spellings of their units. Decimal and binary sizes are kept apart, as in SI.
func sizes() []scale {
	return []scale{
		{"B", 1}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	}
}

func rates() []scale { return []scale{{"/s", 1}, {"/m", 1.0 / 60}} }

// ParseSize reads "512B", "4KiB", "1MB".
func ParseSize(text string) (bytes float64, err error) {
	return parseScaled(text, sizes(), `a size needs a unit: B, KB, MB, GB, KiB, MiB or GiB, as in "512B"`)
}

// ParseRate reads "2000/s", "90/m".
func ParseRate(text string) (perSecond float64, err error) {
	return parseScaled(text, rates(), `a rate is messages per time: "2000/s" or "90/m"`)
}

// ParseDuration reads what time.ParseDuration reads, except that it must have a unit and be written without a sign.
func ParseDuration(text string) (time.Duration, error) {
	const remedy = `a duration is a number with ns, us, ms, s, m or h, as in "5s" or "1m30s"`
	if text == "" || !isDigit(text[0]) && text[0] != '.' || isDigit(text[len(text)-1]) {
		return 0, fmt.Errorf("%q: %s", text, remedy)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q: %s", text, remedy)
	}
	return d, nil
}

func parseScaled(text string, scales []scale, remedy string) (float64, error) {
	number, unit := splitNumber(text)
	value, err := parseNumber(number)
	if err != nil {
		return 0, fmt.Errorf("%q: %s", text, remedy)
	}
	for _, s := range scales {
		if s.unit == unit {
			return value * s.factor, nil
		}
	}
	return 0, fmt.Errorf("%q: %s", text, remedy)
}

// splitNumber cuts text after its leading digits and points.
func splitNumber(text string) (number, unit string) {
	end := 0
	for end < len(text) && (isDigit(text[end]) || text[end] == '.') {
		end++
	}
	return text[:end], text[end:]
}

// parseNumber reads a plain decimal: no sign, no exponent, so that nothing surprising passes.
func parseNumber(text string) (float64, error) {
	if text == "" || text == "." || strings.Trim(text, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(value, 0) {
		return 0, strconv.ErrRange
	}
	return value, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseBound reads the right side of a criterion in the units of its metric.
func parseBound(text string, unit Unit) (float64, error) {
	switch unit {
	case Seconds:
		d, err := ParseDuration(text)
		return d.Seconds(), err
	case Bytes:
		return ParseSize(text)
	case PerSecond:
		return ParseRate(text)
	case Ratio:
		return ParseRatio(text)
	default:
		value, err := parseNumber(text)
		if err != nil {
			return 0, fmt.Errorf("%q: a count is a plain number without a unit", text)
		}
		return value, nil
	}
}

// ParseRatio reads "0.05" or "5%". A bare number above 1 is refused: it was meant as percent.
func ParseRatio(text string) (float64, error) {
	number, unit := splitNumber(text)
	value, err := parseNumber(number)
	switch {
	case err != nil || unit != "" && unit != "%":
		return 0, fmt.Errorf(`%q: a ratio is a number 0..1, or percent with its sign, as in "5%%"`, text)
	case unit == "" && value > 1:
		return 0, fmt.Errorf("%q: a bare ratio is 0..1; write %s%% for percent", text, number)
	case unit == "%" && value > 100:
		return 0, fmt.Errorf("%q: a ratio cannot be more than 100%%", text)
	case unit == "%":
		return value / 100, nil
	}
	return value, nil
}

// Format writes a value of this unit for people: "11.2s", "99.2%", "512MiB", "1,980/s", "12,345".
func (u Unit) Format(value float64) string {
	switch {
	case math.IsNaN(value):
		return "not known"
	case math.IsInf(value, 0):
		return "never"
	}
	switch u {
	case Seconds:
		return FormatSeconds(value)
	case Ratio:
		return trim(value*100, 2) + "%"
	case Bytes:
		return formatBytes(value)
	case PerSecond:
		return group(value) + "/s"
	default:
		return group(value)
	}
}

// FormatSeconds writes a duration with three digits that count: "850us", "12.3ms", "4.21s", "1m12s".
func FormatSeconds(s float64) string {
	switch {
	case s < 0:
		return "-" + FormatSeconds(-s)
	case s == 0:
		return "0s"
	case s < 1e-6:
		return digits(s*1e9) + "ns"
	case s < 1e-3:
		return digits(s*1e6) + "us"
	case s < 1:
		return digits(s*1e3) + "ms"
	case s < 60:
		return digits(s) + "s"
	case s < 1e9:
		return time.Duration(math.Round(s) * float64(time.Second)).String()
	default:
		return trim(s, 0) + "s"
	}
}

func formatBytes(b float64) string {
	for _, s := range []scale{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= s.factor {
			return digits(b/s.factor) + s.unit
		}
	}
	return trim(b, 0) + "B"
}

// digits writes three significant digits, fewer if the rest are zeros.
func digits(v float64) string {
	switch {
	case v < 9.995:
		return trim(v, 2)
	case v < 99.95:
		return trim(v, 1)
	default:
		return trim(v, 0)
	}
}

func trim(v float64, places int) string {
	text := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// group writes a number with commas between thousands; with places only where it is small and not whole.
func group(v float64) string {
	text := trim(v, 0)
	if math.Abs(v) < 100 {
		text = trim(v, 1)
	}
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, fraction, dotted := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dotted {
		whole += "." + fraction
	}
	return sign + whole
}
