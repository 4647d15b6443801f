package history

import (
	"sync"

	"github.com/havoqlab/havoq/queue"
)

// maxTopics bounds the tracks whose topic is remembered.
const maxTopics = 1 << 16

// topics knows where tracks belong: the topic on which the first message of each was met. The number of a stream alone does
// not tell: Config.Stream may give several topics the same, and so may the hash.
type topics struct {
	mu    sync.RWMutex
	first map[queue.Track]string
}

// add takes note that track belongs to topic, unless it is known better.
func (t *topics) add(track queue.Track, topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		t.first = map[queue.Track]string{}
	}
	if _, known := t.first[track]; !known && len(t.first) < maxTopics {
		t.first[track] = topic
	}
}

// elsewhere reports whether a message that is met on a topic, with the topic's stream number, belongs to another one.
func (t *topics) elsewhere(id queue.Identity, topic string, stream uint16) bool {
	if id.Stream != stream {
		return true
	}
	t.mu.RLock()
	first, known := t.first[id.Track()]
	t.mu.RUnlock()
	if !known {
		t.add(id.Track(), topic)
		return false
	}
	return first != topic
}
