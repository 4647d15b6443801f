package scenario

import "time"

// Duration is a time span in a scenario: "5s", or by timing: { quick: 5s, full: 5m }.
type Duration time.Duration

// Rate is messages per second: "2000/s", "90/m".
type Rate float64

// Size is bytes: "512B", "4KiB".
type Size int64
