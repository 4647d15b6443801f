package history

// keys remembers the last sequence number of each message key: of the limit youngest keys at least, and of twice as many at
// most. A hash stands for a key; two keys in 2^64 share one.
type keys struct {
	limit int
	young map[uint64]*uint64 // hash of a key → its last sequence number
	old   map[uint64]*uint64 // what young was when it was full, without those that have come again
}

// back returns the distance from seq to the key's last number, or 0 if that is not known, and makes seq the last. forgotten is
// how many other keys were given up for it: the next message of each will look like its first.
func (k *keys) back(key string, seq uint64) (back uint32, forgotten int) {
	hash := hashText(key)
	last := k.young[hash]
	if last == nil {
		last = k.old[hash]
		delete(k.old, hash)
		forgotten = k.room()
		if last == nil {
			last = new(uint64)
			*last = seq
			k.young[hash] = last
			return 0, forgotten
		}
		k.young[hash] = last
	}
	back = distance(*last, seq)
	*last = seq
	return back, forgotten
}

// room makes room for one more, and says how many were forgotten for it.
func (k *keys) room() (forgotten int) {
	if len(k.young) >= k.limit {
		forgotten = len(k.old)
		k.young, k.old = k.old, k.young
		clear(k.young)
	}
	if k.young == nil {
		k.young = map[uint64]*uint64{}
	}
	return forgotten
}

// hashText is FNV-1a with a final mix: the same in every process.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}
