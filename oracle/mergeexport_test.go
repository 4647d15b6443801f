package oracle

// OverMemory says by how much the judge keeps more messages in full than it may.
func OverMemory(j *Judge) int64 { return j.memory.used - j.memory.limit }
