package history

// keys remembers the last sequence number of each message key: of as many keys as limit says, in sets of four, where the one
// that was longest ago makes room. A hash stands for a key; two keys in 2^64 share one.
type keys struct {
	limit int
	sets  [][4]keySlot // a power of two of them; made at the first use
}

type keySlot struct {
	hash uint64
	next uint64 // the key's last sequence number + 1; 0: empty
}

// back returns the distance from seq to the key's last number, or 0 if that is not known, and makes seq the last.
func (k *keys) back(key string, seq uint64) uint32 {
	if k.sets == nil {
		n := 1
		for n*4 < k.limit {
			n *= 2
		}
		k.sets = make([][4]keySlot, n)
	}
	hash := hashText(key)
	set := &k.sets[hash&uint64(len(k.sets)-1)]
	oldest := &set[0]
	for i := range set {
		slot := &set[i]
		if slot.next != 0 && slot.hash == hash {
			last := slot.next - 1
			slot.next = seq + 1
			return distance(last, seq)
		}
		if slot.next < oldest.next {
			oldest = slot
		}
	}
	*oldest = keySlot{hash, seq + 1}
	return 0
}

// hashText is FNV-1a with a final mix: not keyed, so that the same run forgets the same keys.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}
