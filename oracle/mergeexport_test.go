package oracle

// OverMemory says by how much the judge keeps more messages in full than it may.
func OverMemory(j *Judge) int64 {
	used := int64(0)
	for _, t := range j.tracks {
		for p := range t.whole() {
			used += pageBytes
			for _, r := range p.got {
				if r != nil {
					used += readsBytes
				}
			}
		}
	}
	return used - j.memory.limit
}
