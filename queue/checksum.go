package queue

import "hash/crc32"

// castagnoli is a constant: the table of CRC-32C, and the seven derived from it that take eight bytes at a step.
var castagnoli = slicing(crc32.MakeTable(crc32.Castagnoli))

func slicing(first *crc32.Table) *[8]crc32.Table {
	tables := [8]crc32.Table{*first}
	for i := range first {
		sum := first[i]
		for t := 1; t < len(tables); t++ {
			sum = first[byte(sum)] ^ sum>>8
			tables[t][i] = sum
		}
	}
	return &tables
}

// checksumShort is crc32.Update with the Castagnoli table, for a few bytes that live on the stack or in a string: what is given to
// crc32.Update is moved to the heap, and every message of a run passes here twice.
func checksumShort[T string | []byte](sum uint32, p T) uint32 {
	t := castagnoli
	sum = ^sum
	for len(p) >= 8 {
		sum ^= uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
		sum = t[7][byte(sum)] ^ t[6][byte(sum>>8)] ^ t[5][byte(sum>>16)] ^ t[4][sum>>24] ^
			t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]]
		p = p[8:]
	}
	if len(p) >= 4 {
		sum ^= uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
		sum = t[3][byte(sum)] ^ t[2][byte(sum>>8)] ^ t[1][byte(sum>>16)] ^ t[0][sum>>24]
		p = p[4:]
	}
	for i := range len(p) {
		sum = t[0][byte(sum)^p[i]] ^ sum>>8
	}
	return ^sum
}
