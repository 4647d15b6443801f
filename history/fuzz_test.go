package history_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
)

// FuzzReader reads any bytes as a file: an error or a warning, never a panic, and no event that could not be written.
func FuzzReader(f *testing.F) {
	events := []history.Event{}
	for _, e := range life(3) {
		events = append(events, e)
	}
	whole := written(f, history.Header{Run: 1, Info: map[string]string{"a": "b"}}, events...)
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}

// FuzzEvents reads any bytes as the events of a block whose checksum matches, so that it is they that are read.
func FuzzEvents(f *testing.F) {
	h := history.Header{Run: 1, Start: time.Unix(1, 0)}
	head := written(f, h)
	for i := range 3 {
		e := life(i)
		f.Add(written(f, h, e[:]...)[len(head)+history.BlockHead:])
	}
	f.Add([]byte{1, 0xff, 0xff, 1, 1, 1})
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) == 0 || len(payload) > history.MaxBlock {
			return
		}
		b := bytes.Clone(head)
		where := append(bytes.Clone(head[14:18]), make([]byte, 8)...)
		binary.LittleEndian.PutUint64(where[4:], uint64(len(head)))
		rest := append(binary.LittleEndian.AppendUint32(nil, uint32(len(payload))), payload...)
		table := crc32.MakeTable(crc32.Castagnoli)
		b = append(b, "HVQB"...)
		b = binary.LittleEndian.AppendUint32(b, crc32.Update(crc32.Checksum(where, table), table, rest))
		check(t, append(b, rest...))
	})
}

// check reads b; what it reads, it writes and reads again.
func check(t *testing.T, b []byte) {
	events, _, err := read(b)
	if err != nil && len(events) == 0 {
		return
	}
	for i := range events {
		if events[i].At == 0 { // a time that no Writer writes, and that one would fill in
			events[i].At = 1
		}
		if i > 0 && events[i].At < events[i-1].At {
			t.Fatal("time goes backwards")
		}
	}
	again, warning, err := read(written(t, history.Header{}, events...))
	if err != nil || warning != "" || len(again) != len(events) {
		t.Fatal(len(again), len(events), warning, err)
	}
}
