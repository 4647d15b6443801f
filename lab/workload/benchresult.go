package workload

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// BenchResult is what a benchmark measured. Rates and latencies are of the measured window, without the warm-up.
type BenchResult struct {
	Driver    string `json:"driver"`
	Producers int    `json:"producers"`
	Consumers int    `json:"consumers"`
	InFlight  int    `json:"in_flight"` // of each producer
	Size      int    `json:"size_bytes"`
	Recorded  bool   `json:"recorded"`

	Took              time.Duration `json:"took_ns"`
	Sent              int64         `json:"sent"`     // confirmed
	Received          int64         `json:"received"` // sound deliveries of this run
	SentPerSecond     float64       `json:"sent_per_second"`
	ReceivedPerSecond float64       `json:"received_per_second"`
	Ack               Latency       `json:"ack"`        // from the call to the confirmation, back-off of retries included
	EndToEnd          Latency       `json:"end_to_end"` // from the call to the delivery

	FailedAttempts  int64  `json:"failed_attempts"`
	UnknownAttempts int64  `json:"unknown_attempts"`
	ReceiveErrors   int64  `json:"receive_errors"`
	SettleErrors    int64  `json:"settle_errors"`
	Damaged         int64  `json:"damaged"`
	Foreign         int64  `json:"foreign"`
	Left            int64  `json:"left"` // in the queue afterwards; -1: not known
	LastError       string `json:"last_error,omitempty"`
}

// Latency is a distribution, to three digits, in steps of a microsecond. All is 0 where Count is.
type Latency struct {
	Count int64         `json:"count"`
	Min   time.Duration `json:"min_ns"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P95   time.Duration `json:"p95_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// Errors is how many attempts, receives and settlements went wrong, and how many deliveries were damaged.
func (r BenchResult) Errors() int64 {
	return r.FailedAttempts + r.UnknownAttempts + r.ReceiveErrors + r.SettleErrors + r.Damaged
}

// String is a table for people.
func (r BenchResult) String() string {
	var out strings.Builder
	recording := "off"
	if r.Recorded {
		recording = "on"
	}
	fmt.Fprintf(&out, "%s: closed loop, %d producers × %d in flight, %d consumers, %d B, recording %s, %s\n",
		r.Driver, r.Producers, r.InFlight, r.Consumers, r.Size, recording, r.Took.Round(time.Millisecond))
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tmessages\tper second\tMB/s\tp50\tp90\tp99\tp99.9\tmax\t")
	row := func(name string, count int64, rate float64, l Latency) {
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%.2f\t%s\t%s\t%s\t%s\t%s\t\n", name, count, rate, rate*float64(r.Size)/1e6,
			short(l.P50), short(l.P90), short(l.P99), short(l.P999), short(l.Max))
	}
	row("sent", r.Sent, r.SentPerSecond, r.Ack)
	if r.Consumers > 0 {
		row("received", r.Received, r.ReceivedPerSecond, r.EndToEnd)
	}
	table.Flush() //nolint:errcheck // a strings.Builder does not fail
	fmt.Fprintf(&out, "errors: %d", r.Errors())
	for _, e := range []struct {
		name  string
		count int64
	}{
		{"sends refused", r.FailedAttempts},
		{"sends without an answer", r.UnknownAttempts},
		{"receives", r.ReceiveErrors},
		{"acks not confirmed", r.SettleErrors},
		{"damaged", r.Damaged},
		{"foreign messages", r.Foreign},
		{"left in the queue", r.Left},
	} {
		if e.count > 0 {
			fmt.Fprintf(&out, ", %s: %d", e.name, e.count)
		}
	}
	if r.LastError != "" {
		fmt.Fprintf(&out, "\nlast error of a send: %s", r.LastError)
	}
	return out.String() + "\n"
}

// short keeps three digits.
func short(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= 100*unit {
			return d.Round(unit).String()
		}
		if d >= unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.String()
}
