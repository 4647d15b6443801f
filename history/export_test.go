package history

// What tests in package history_test need of the inside.

type File = file

var (
	NewWriter = newWriter
	NewReader = newReader
	ParseKind = parseKind
)

const (
	MaxText    = maxText
	MaxTracks  = maxTracks
	BufferSize = bufferSize
	BlockHead  = blockHead
	MaxBlock   = maxBlock
)
