package history

// The format of a history file, version 1. Integers of fixed size are little endian; "uvarint" is the base-128 form of
// encoding/binary, "svarint" is that of the zigzag form; "text" is a uvarint length and so many bytes.
//
//	file     = prelude header block*
//	prelude  = magic [8]byte        "\x89HAVOQ\r\n": damaged by whatever changes line ends or cuts the eighth bit
//	           version u16          1
//	           length u32           of the header, at most 1 MiB
//	           check u32            CRC-32C of version, length and header
//	header   = run u32, seed u64, start i64 (Unix nanoseconds, UTC), name text, count uvarint, count × (key text, value text)
//	block    = mark [4]byte         "HVQB"
//	           check u32            CRC-32C of (the header's check u32, the block's own file offset u64, length, events), so
//	                                that a block which was moved, lost or taken from another file is as bad as a flipped bit
//	           length u32           of the events, 1 byte to 256 KiB
//	           event*
//
// Each block is handed to the operating system whole, in order, so a writer that is killed leaves whole blocks and at most one
// torn one after them. Events depend on those before them, also across blocks:
//
//	event    = kind u8, mask u16, at uvarint (nanoseconds since the event before), then the fields whose bit is set in mask,
//	           in this order; a field whose bit is not set is zero
//	bit  0     flags u8: outcome (bits 0, 1), damage (bits 2, 3), ack (bit 4), duplicate (bit 5)
//	bit  1     track: uvarint 0 and run u32, producer u32, epoch u16, stream u16 (not numbered, seq is counted from 0);
//	           1 and the same (it gets the next number); else 2 + the number of a track seen before
//	bit  2     (with bit 1) seq svarint: the distance from one more than the track's last seq in events of this kind (0 for
//	           the first); not set: the distance is 0. Kinds above settle share one such count
//	bit  3     back uvarint
//	bit  4     attempt svarint
//	bit  5     partition svarint
//	bit  6     intended svarint: at - intended
//	bit  7     offset svarint: the distance from the last offset in events of this kind (shared as above)
//	bit  8     claim svarint
//	bit  9     value svarint: a whole number
//	bit 10     value u64: the bits of a float64
//	bit 11-15  client, group, name, node, detail, each a uvarint: 0 and a text (not numbered), 1 and a text (it gets the next
//	           number), else 2 + the number of a text seen before
//
// Tracks and texts are numbered from 0, up to maxTracks and maxTexts. A reader refuses a version that it does not know, so
// anything else may change with the version; kinds, outcomes and damages that this version does not know are an error too.
const (
	magic   = "\x89HAVOQ\r\n"
	version = 1

	preludeSize   = len(magic) + 2 + 4 + 4
	maxHeader     = 1 << 20
	blockMark     = "HVQB"
	blockHead     = len(blockMark) + 4 + 4
	blockTarget   = 64 << 10 // a block is ended when it has grown to this
	maxBlock      = 256 << 10
	maxText       = 16 << 10 // of one text: five of them and a full block stay below maxBlock
	maxTexts      = 1 << 16
	maxTextMemory = 16 << 20 // of all numbered texts together
	maxTracks     = 1 << 18
)

// The bits of an event's mask.
const (
	hasFlags = 1 << iota
	hasTrack
	hasSeq
	hasBack
	hasAttempt
	hasPartition
	hasIntended
	hasOffset
	hasClaim
	hasWhole
	hasFloat
	hasClient
	hasGroup
	hasName
	hasNode
	hasDetail
)

// The parts of an event's flags.
const (
	outcomeBits  = 0x03
	damageShift  = 2
	damageBits   = 0x03
	ackFlag      = 1 << 4
	duplicate    = 1 << 5
	unknownFlags = 0xc0
)

// slots is the number of separate counts that predict sequence numbers and offsets: one for each kind of event that follows
// every message, and one for all other kinds.
const slots = int(Settle) + 1

func slot(k Kind) int {
	if k <= Settle {
		return int(k)
	}
	return 0
}

// trackKey is a track of a certain run.
type trackKey struct {
	run, producer uint32
	epoch, stream uint16
}

// trackCount is what writer and reader remember of a track: the sequence number that is expected next, for each slot.
type trackCount struct {
	key  trackKey
	next [slots]uint64
}
