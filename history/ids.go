package history

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/havoqlab/havoq/queue"
)

const (
	defaultIDs = 1 << 22
	mostIDs    = 1 << 28 // a number and its marks fit in 32 bits
	idExamples = 5
)

// ErrTooManyIDs is an ID beyond IDsConfig.Limit.
var ErrTooManyIDs = errors.New("too many IDs")

// IDsConfig says what identities IDs gives. Run, Producer and Epoch are those of every identity.
type IDsConfig struct {
	Run      uint32
	Producer uint32
	Epoch    uint16
	// Limit is how many different IDs are remembered. 0: 4,194,304, which take about 180 MB when they are all there; at most
	// 268,435,456.
	Limit int
}

// IDs gives identities to messages that have IDs of their own: on each stream the first ID that is seen, on whichever side, is
// number 0 of the track, the next number 1. So two readers, one of what goes into a system and one of what comes out, speak of
// the same messages, although either may see a message first.
//
// What is remembered of an ID is 128 bits of its SHA-256 and its number. Among 4 million IDs two that are different are taken
// for one with odds of 1 in 10^25, also where somebody chooses them with care.
//
// It may be used concurrently.
type IDs struct {
	config IDsConfig

	mu     sync.Mutex
	known  map[idKey]idEntry
	next   map[uint16]uint32 // by stream
	counts IDCounts
}

type idKey [16]byte

// idEntry is the number of an ID on its stream, and in the lowest bits where it was seen.
type idEntry uint32

const (
	idInput idEntry = 1 << iota
	idInputAgain
	idOutput
	idOutputAgain
	idMarks = 4 // bits
)

// Sight is what is known of an ID when it is seen.
type Sight struct {
	Identity queue.Identity
	New      bool // it was not seen before, on neither side
	Again    bool // it was seen before on this side
	Other    bool // it was seen before on the other side
}

// IDCounts is what was seen, in different IDs.
type IDCounts struct {
	Input      int64 // on the input side
	Repeated   int64 // of these, seen there more than once: they do not tell messages apart
	Output     int64 // on the output side
	OnlyOutput int64 // of these, never seen on the input side
	Refused    int64 // sights, not IDs, that came when Limit was reached and were not known
	// RepeatedExamples and OnlyOutputExamples are the first such IDs, at most five. Of the latter, an ID that is seen on the
	// input side after all is taken off, so there may be fewer than were counted.
	RepeatedExamples   []string
	OnlyOutputExamples []string
}

// NewIDs returns IDs that has seen nothing. A Limit that is negative or too large is an error.
func NewIDs(c IDsConfig) (*IDs, error) {
	switch {
	case c.Limit == 0:
		c.Limit = defaultIDs
	case c.Limit < 0 || c.Limit > mostIDs:
		return nil, fmt.Errorf("history: IDs: a limit of %d IDs is not between 1 and %d", c.Limit, mostIDs)
	}
	return &IDs{config: c, known: make(map[idKey]idEntry), next: make(map[uint16]uint32)}, nil
}

// Input takes note that id is seen where messages go in. Call it once for each message: one that is only read again, or sent
// again, is to be looked up. The error wraps ErrNoID for an ID that is empty or longer than MaxID, and ErrTooManyIDs.
func (x *IDs) Input(stream uint16, id string) (Sight, error) {
	return x.see(stream, id, idInput, idInputAgain, idOutput)
}

// Output takes note that id is seen where results come out, with the stream of the input. Its errors are those of Input.
func (x *IDs) Output(stream uint16, id string) (Sight, error) {
	return x.see(stream, id, idOutput, idOutputAgain, idInput)
}

// Lookup returns the identity of an ID that was seen before, and takes no note of it.
func (x *IDs) Lookup(stream uint16, id string) (queue.Identity, bool) {
	if len(id) > MaxID {
		return queue.Identity{}, false
	}
	key := keyOfID(stream, id)
	x.mu.Lock()
	defer x.mu.Unlock()
	e, known := x.known[key]
	if !known {
		return queue.Identity{}, false
	}
	return x.identity(stream, e), true
}

func (x *IDs) see(stream uint16, id string, side, again, other idEntry) (Sight, error) {
	if id == "" || len(id) > MaxID {
		return Sight{}, fmt.Errorf("history: IDs: an ID of %d bytes, not between 1 and %d: %w", len(id), MaxID, ErrNoID)
	}
	key := keyOfID(stream, id)
	x.mu.Lock()
	defer x.mu.Unlock()
	before, known := x.known[key]
	if !known {
		if len(x.known) >= x.config.Limit {
			x.counts.Refused++
			return Sight{}, fmt.Errorf("history: IDs: more than %d different ones, raise IDsConfig.Limit: %w", x.config.Limit, ErrTooManyIDs)
		}
		before = idEntry(x.next[stream]) << idMarks
		x.next[stream]++
	}
	now := before | side
	if before&side != 0 {
		now |= again
	}
	if now != before || !known {
		x.known[key] = now
		x.count(id, before, now)
	}
	return Sight{
		Identity: x.identity(stream, now), New: !known, Again: before&side != 0, Other: before&other != 0,
	}, nil
}

// count counts an ID whose marks have changed.
func (x *IDs) count(id string, before, now idEntry) {
	c := &x.counts
	switch gained := now &^ before; {
	case gained&idInput != 0:
		c.Input++
		if now&idOutput != 0 {
			c.OnlyOutput--
			c.OnlyOutputExamples = slices.DeleteFunc(c.OnlyOutputExamples, func(e string) bool { return e == id })
		}
	case gained&idInputAgain != 0:
		c.Repeated++
		c.RepeatedExamples = example(c.RepeatedExamples, id)
	case gained&idOutput != 0:
		c.Output++
		if now&idInput == 0 {
			c.OnlyOutput++
			c.OnlyOutputExamples = example(c.OnlyOutputExamples, id)
		}
	}
}

// example keeps id if there is room. It is copied: it may be a part of a large body.
func example(examples []string, id string) []string {
	if len(examples) < idExamples {
		examples = append(examples, strings.Clone(id))
	}
	return examples
}

// Counts returns what was seen so far.
func (x *IDs) Counts() IDCounts {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.counts
	c.RepeatedExamples = slices.Clone(c.RepeatedExamples)
	c.OnlyOutputExamples = slices.Clone(c.OnlyOutputExamples)
	return c
}

func (x *IDs) identity(stream uint16, e idEntry) queue.Identity {
	return queue.Identity{
		Run: x.config.Run, Producer: x.config.Producer, Epoch: x.config.Epoch, Stream: stream, Seq: uint64(e >> idMarks),
	}
}

// keyOfID stands for an ID of at most MaxID bytes on a stream.
func keyOfID(stream uint16, id string) idKey {
	var text [2 + MaxID]byte
	binary.BigEndian.PutUint16(text[:], stream)
	sum := sha256.Sum256(text[:2+copy(text[2:], id)])
	return idKey(sum[:16])
}
