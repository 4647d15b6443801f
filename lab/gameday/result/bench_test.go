package result_test

import "testing"

// A million messages are five million events. `havoq verify` of such a history may take 5 s, reading the file included.
func BenchmarkJudge(b *testing.B) {
	const n = 200_000
	tp := &tape{}
	for i := range int64(n) {
		tp.message(i*ms/2, i*ms/2+2*ms)
	}
	tp.end(n * ms)
	read, s := tp.read(), parse(b, "", "")
	b.ReportAllocs()
	for b.Loop() {
		judgeEvents(b, read, s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/message")
}
