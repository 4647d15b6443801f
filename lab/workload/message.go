package workload

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// sending is one message from its first attempt to its final outcome. It is sealed once: a retry is the same message with the
// same ID, envelope and body.
type sending struct {
	message  queue.Message
	seq      uint64
	key      int // in the producer's keyring; noKey without
	intended time.Duration
	first    time.Time // first attempt
	next     time.Time // next attempt, while it waits for one
	attempts int
	doubt    bool // some attempt may have worked
}

// noise is what bodies are made of: one block of pseudo-random bytes that nobody changes, shared by all producers. A body is a
// slice of it at an offset that depends on the message, so it costs no copy, may be lent for as long as anyone likes, and two
// messages that a queue mixes up differ.
type noise struct {
	block []byte
	seed  uint64
}

const noiseOffsets = 1 << 16

func newNoise(seed uint64, size int) *noise {
	n := &noise{block: make([]byte, noiseOffsets+size), seed: seed}
	source := rand.New(rand.NewPCG(seed, 1))
	var word [8]byte
	for i := 0; i < len(n.block); i += len(word) {
		binary.LittleEndian.PutUint64(word[:], source.Uint64())
		copy(n.block[i:], word[:])
	}
	return n
}

func (n *noise) body(producer uint32, seq uint64, size int) []byte {
	offset := mix(n.seed, producer, seq) % noiseOffsets
	return n.block[offset : offset+uint64(size) : offset+uint64(size)]
}

// mix makes a well spread number from a seed and a message's identity (the finisher of SplitMix64).
func mix(seed uint64, producer uint32, seq uint64) uint64 {
	x := seed ^ uint64(producer)<<40 ^ seq*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// keyring hands out a producer's keys and remembers each key's last message.
type keyring struct {
	names   []string
	last    []uint64 // sequence number + 1 of the key's last message; 0: none
	ordered bool
	free    []int // ordered: keys without a message in flight
	source  *rand.Rand
}

const noKey = -1

// newKeyring splits keys over the producers: producer p gets those whose number is p-1 mod producers, and at least one.
func newKeyring(cfg *Config, producer int) *keyring {
	k := &keyring{ordered: cfg.Ordered, source: rand.New(rand.NewPCG(cfg.Seed, uint64(producer)))}
	if cfg.Keys > 0 {
		count := cfg.Keys / cfg.Producers
		if producer-1 < cfg.Keys%cfg.Producers {
			count++
		}
		for i := range max(1, count) {
			k.names = append(k.names, "p"+strconv.Itoa(producer)+"-k"+strconv.Itoa(i))
		}
		k.last = make([]uint64, len(k.names))
	}
	if cfg.Ordered {
		k.free = []int{noKey}
		if len(k.names) > 0 {
			k.free = make([]int, len(k.names))
			for i := range k.free {
				k.free[i] = i
			}
		}
	}
	return k
}

// ready says whether take has a key to give.
func (k *keyring) ready() bool { return !k.ordered || len(k.free) > 0 }

// take returns a key for the next message: any, or with order one that has no message in flight.
func (k *keyring) take(seed uint64, producer uint32, seq uint64) int {
	if !k.ordered {
		if len(k.names) == 0 {
			return noKey
		}
		return int(mix(seed+1, producer, seq) % uint64(len(k.names)))
	}
	i := k.source.IntN(len(k.free))
	key := k.free[i]
	k.free[i] = k.free[len(k.free)-1]
	k.free = k.free[:len(k.free)-1]
	return key
}

// release gives back the key of a message whose outcome is final.
func (k *keyring) release(key int) {
	if k.ordered {
		k.free = append(k.free, key)
	}
}

// next notes that seq is the key's newest message and returns its name and the distance back to the one before.
func (k *keyring) next(key int, seq uint64) (name string, back uint32) {
	if key == noKey {
		return "", 0
	}
	if last := k.last[key]; last > 0 && seq-(last-1) <= math.MaxUint32 {
		back = uint32(seq - (last - 1))
	}
	k.last[key] = seq + 1
	return k.names[key], back
}

// seal makes the next message of the producer: it gets its place in the track, and everything that a retry will repeat.
func (p *producer) seal(intended time.Duration, now time.Time) *sending {
	cfg := &p.w.cfg
	if p.seq%reserved == 0 {
		p.reserve()
	}
	seq := p.seq
	p.seq++
	s := &sending{seq: seq, key: p.keys.take(cfg.Seed, p.number, seq), intended: intended, first: now}
	key, back := p.keys.next(s.key, seq)
	at := cfg.Start.Add(intended)
	s.message = queue.Seal(queue.Message{
		ID:        messageID(cfg.Run, p.number, seq),
		Key:       key,
		Body:      p.w.noise.body(p.number, seq, cfg.Size),
		Timestamp: at,
	}, queue.Envelope{
		Identity: queue.Identity{Run: cfg.Run, Producer: p.number, Seq: seq},
		Back:     back,
		SentAt:   at,
	})
	return s
}

// reserved is how many sequence numbers the history knows of before the first of them is used. After a kill -9 of this process a
// delivery among them is unknown, and one beyond was never sent.
const reserved = 4096

func (p *producer) reserve() {
	p.w.record(history.Event{
		Kind: history.Reserve, Identity: queue.Identity{Run: p.w.cfg.Run, Producer: p.number, Seq: p.seq},
		Client: p.name, Name: p.w.cfg.Topic, Value: reserved,
	})
}

// messageID is "run-producer-sequence", the run in hexadecimal.
func messageID(run, producer uint32, seq uint64) string {
	id := strconv.AppendUint(make([]byte, 0, 40), uint64(run), 16)
	id = strconv.AppendUint(append(id, '-'), uint64(producer), 10)
	return string(strconv.AppendUint(append(id, '-'), seq, 10))
}
