package history_test

import (
	"path/filepath"
	"testing"

	"github.com/havoqlab/havoq/history"
)

// BenchmarkApp is the price of Processed in the application's own goroutine.
func BenchmarkApp(b *testing.B) {
	run := func(b *testing.B, c history.AppConfig) {
		c.Group = "billing"
		a, err := history.NewApp(c)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := a.Processed("order-4711", "invoice 17"); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		if err := a.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("off", func(b *testing.B) { run(b, history.AppConfig{Off: true}) })
	b.Run("file", func(b *testing.B) { run(b, history.AppConfig{File: filepath.Join(b.TempDir(), "records.jsonl")}) })
	b.Run("collector", func(b *testing.B) {
		c, err := history.NewCollector(history.CollectorConfig{Record: func(history.AppRecord) {}})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close(b.Context())
		url, err := c.Listen("")
		if err != nil {
			b.Fatal(err)
		}
		run(b, history.AppConfig{URL: url, Buffer: 1 << 30})
	})
}
