package oracle

// NewWithout returns a judge that leaves out the check of one anomaly.
func NewWithout(c Config, anomaly string) *Judge {
	c.without = anomaly
	return New(c)
}

// Promises lists the anomalies that have a check.
func Promises() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.anomaly)
	}
	return names
}

// CrashingCheck judges j by a check that panics.
func CrashingCheck(j *Judge) Check {
	c := check{Lost, always, func(*account) string { panic("planted") }}
	return c.judge(j.account())
}
