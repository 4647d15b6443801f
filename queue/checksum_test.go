package queue

import (
	"hash/crc32"
	"testing"

	"pgregory.net/rapid"
)

func TestChecksumShortIsCRC32C(t *testing.T) {
	table := crc32.MakeTable(crc32.Castagnoli)
	rapid.Check(t, func(t *rapid.T) {
		sum := rapid.Uint32().Draw(t, "sum")
		p := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "bytes")
		want := crc32.Update(sum, table, p)
		if got := checksumShort(sum, p); got != want {
			t.Fatalf("of bytes: %08x, want %08x", got, want)
		}
		if got := checksumShort(sum, string(p)); got != want {
			t.Fatalf("of a string: %08x, want %08x", got, want)
		}
	})
}
