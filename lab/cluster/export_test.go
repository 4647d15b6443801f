package cluster

// For the tests of the keeper alone, without the other nets.
var (
	TakeWards = takeWards
	StartTime = startTime
	Stopped   = stopped
)

// EndWard is ward.end.
func EndWard(w ward) error { return w.end() }
