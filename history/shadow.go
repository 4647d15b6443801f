package history

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// ShadowMode says what tells the messages of a Shadow apart.
type ShadowMode uint8

// The modes. What each cannot see it says in a Source event, so that no judge takes its silence for a proof.
const (
	// ByPosition: where the broker keeps the message, a partition and an offset, as the result of the send and the delivery
	// tell it. Until the result is known, a delivery belongs to a send under way that has the same key and body.
	//
	// It sees what was lost, redelivered, reordered or late. It cannot see that a message is in the broker twice, nor tell
	// another sender's message from one that was never sent: a delivery from a position that no send was given is left out
	// (ShadowCounts.Strangers). Of a message that was changed it sees only those whose position was known when they came; one
	// that came earlier counts as lost. Where messages with the same key and body are under way at once, it cannot always tell
	// which of them is sent again: a retry may count as a message of its own that stays in doubt.
	ByPosition ShadowMode = iota + 1
	// ByID: the ID that Config.Expression finds in it. It sees everything. Where an ID is sent again after it was confirmed,
	// a Note says so: the IDs do not tell the messages apart. Their order and their repetitions are then not judged.
	ByID
	// ByContent: key and body. Of messages that are the same in both, the n-th to be delivered counts as the n-th that was
	// sent: nobody can say which copy it was, a loss of one and a repetition of another cancel out, and a Note says so. It
	// cannot see the order, and a message that was changed is lost, and another one unexpected.
	ByContent
)

// String returns the mode's name in Source events.
func (m ShadowMode) String() string {
	switch m {
	case ByPosition:
		return "positions in the broker"
	case ByID:
		return "IDs of the messages"
	case ByContent:
		return "contents of the messages"
	default:
		return fmt.Sprintf("shadow mode %d", uint8(m))
	}
}

// blind names the anomalies that the mode cannot see, as oracle.Names does.
func (m ShadowMode) blind() string {
	switch m {
	case ByPosition:
		return strings.Join([]string{"duplicated", "corrupted", "unexpected", "failed_but_delivered"}, Blind)
	case ByContent:
		return strings.Join([]string{"reordered", "corrupted"}, Blind)
	default:
		return ""
	}
}

// ShadowConfig says how a Shadow records.
type ShadowConfig struct {
	Mode ShadowMode
	// Expression finds the ID of a message, for ByID.
	Expression Expression
	// Recorder, Run and Start are those of Config, and required as there; Client, Stream, Epoch and Keys, too. No two topics may have
	// the same number: Stream is needed where the hash of their names is the same.
	Recorder Recorder
	Run      uint32
	Start    time.Time
	Client   func(*queue.Session) string
	Stream   func(topic string) uint16
	Epoch    uint16
	Keys     int
	// Limit is how many messages are remembered: 0: 1,048,576, about 300 bytes each. When they are all there, those are
	// forgotten that every group has acked; if there are none, new messages are not recorded, and a Gap tells.
	Limit int
}

// Shadow records what the sessions of a queue do, as Hooks does, and adds nothing to the messages: for applications whose
// messages must stay as they are. All sessions that send and receive the same messages must share one Shadow.
//
// Every send is recorded when it is handed over and when its result comes. So offered is what was sent: acked, failed or in
// doubt. A send whose result tells no position (ByPosition) although it was confirmed stays in doubt, and a Gap tells.
//
// That the work on a delivery is done the application records with Processed, that it was dead-lettered with DeadLettered.
// A message that is sent on to another topic counts there as one of its own.
type Shadow struct {
	config ShadowConfig
	start  int64
	now    func() int64

	producers, consumers atomic.Uint32

	mu      sync.Mutex
	sourced bool
	streams map[uint16]string // the topic of each number
	groups  map[string]int
	store   parcelStore
	counts  ShadowCounts
	noted   map[string]bool
	gaps    int // since the last Gap event
}

// ShadowCounts is what a Shadow met.
type ShadowCounts struct {
	Sent         int64 // messages, retries not counted
	Repeated     int64 // of these, as many as had the ID, or the content, of an earlier one
	Unidentified int64 // sends and deliveries that could not be told apart, and are not in the history
	Strangers    int64 // deliveries that nobody is known to have sent; ByPosition leaves them out
	Forgotten    int64 // messages that were forgotten because of Limit
}

// maxShadowGroups is how many groups a Shadow can tell apart.
const maxShadowGroups = 64

// NewShadow returns a Shadow that has seen nothing. Something that is missing in its configuration is an error.
func NewShadow(c ShadowConfig) (*Shadow, error) {
	switch {
	case c.Mode < ByPosition || c.Mode > ByContent:
		return nil, fmt.Errorf("history: shadow: ShadowConfig.Mode must be ByPosition, ByID or ByContent, not %d", c.Mode)
	case (c.Mode == ByID) != (len(c.Expression.terms) > 0):
		return nil, fmt.Errorf("history: shadow: ShadowConfig.Expression %q with the %v: it is needed for ByID, and only there", c.Expression, c.Mode)
	case c.Recorder == nil || c.Start.IsZero() || c.Run == 0:
		return nil, fmt.Errorf("history: shadow: ShadowConfig.Recorder, Start and Run must be set")
	case c.Limit < 0 || c.Keys < 0:
		return nil, fmt.Errorf("history: shadow: ShadowConfig.Limit %d and Keys %d must not be negative", c.Limit, c.Keys)
	}
	if c.Limit == 0 {
		c.Limit = 1 << 20
	}
	if c.Keys == 0 {
		c.Keys = 4096
	}
	s := &Shadow{
		config: c, start: c.Start.UnixNano(), now: func() int64 { return 0 },
		streams: map[uint16]string{}, groups: map[string]int{}, noted: map[string]bool{}, store: newParcelStore(c.Limit),
	}
	if clock, ok := c.Recorder.(clock); ok {
		s.now = clock.Now
	}
	return s, nil
}

// Hooks returns the hooks, which belong outermost. They may wrap several queues.
func (s *Shadow) Hooks() queue.Hooks {
	return queue.Hooks{Open: s.open, Produce: s.produce, Receive: s.receive, Settle: s.settle}
}

// Counts returns what was met so far.
func (s *Shadow) Counts() ShadowCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Forgotten = s.store.forgotten
	return c
}

// shadowed is what is known of one opened Producer or Consumer.
type shadowed struct {
	client string
	topic  string
	group  string
	number int // of the group
	caps   queue.Caps
	next   queue.Identity // of the next message that is sent
	step   uint64
	keys   keys
}

func shadowedOf(s *queue.Session) *shadowed { return s.State.(*shadowed) }

func (s *Shadow) open(ctx context.Context, session *queue.Session, next func(context.Context) error) error {
	n, err := s.session(session)
	if err != nil {
		return fmt.Errorf("history: shadow: open a session on %q: %w: %w", session.Topic, err, queue.ErrRefused)
	}
	if err := next(ctx); err != nil {
		return err
	}
	session.State = n
	return nil
}

func (s *Shadow) session(session *queue.Session) (*shadowed, error) {
	n := &shadowed{client: session.Client, topic: session.Topic, group: session.Group, caps: session.Caps, step: 1, keys: keys{limit: s.config.Keys}}
	role, count := "consumer", &s.consumers
	if session.Group == "" {
		role, count = "producer", &s.producers
	}
	number := count.Add(1)
	switch {
	case s.config.Client != nil:
		n.client = s.config.Client(session)
	case n.client == "":
		n.client = fmt.Sprintf("%s-%d", role, number)
	}
	if s.config.Mode == ByContent {
		// No two numbers follow each other, so that no order is promised between messages that may be copies of others.
		n.step = 2
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stream, err := s.stream(session.Topic)
	if err != nil {
		return nil, err
	}
	n.next = queue.Identity{Run: s.config.Run, Producer: number, Epoch: s.config.Epoch, Stream: stream}
	if n.group != "" {
		if n.number, err = s.group(n.group); err != nil {
			return nil, err
		}
	}
	if !s.sourced {
		s.sourced = true
		s.config.Recorder.Record(Event{Kind: Source, Name: s.config.Mode.String(), Detail: s.config.Mode.blind()})
	}
	return n, nil
}

// stream numbers a topic. Other than with an envelope, the number alone tells the messages of two topics apart.
func (s *Shadow) stream(topic string) (uint16, error) {
	hash := hashText(topic)
	stream := uint16(hash ^ hash>>16 ^ hash>>32 ^ hash>>48)
	if s.config.Stream != nil {
		stream = s.config.Stream(topic)
	}
	if other, known := s.streams[stream]; known && other != topic {
		return 0, fmt.Errorf("its number %d is that of %q: set ShadowConfig.Stream, so that each topic has its own", stream, other)
	}
	s.streams[stream] = topic
	return stream, nil
}

func (s *Shadow) group(name string) (int, error) {
	number, known := s.groups[name]
	if !known {
		if number = len(s.groups); number == maxShadowGroups {
			return 0, fmt.Errorf("group %q: at most %d groups can be told apart", name, maxShadowGroups)
		}
		s.groups[name] = number
		s.store.all |= 1 << number
	}
	return number, nil
}

// gap tells that something could not be told apart: the first at once, and then each gapEvery.
func (s *Shadow) gap(client, why string) {
	s.counts.Unidentified++
	s.store.vague = true
	s.gaps++
	if s.gaps < gapEvery && s.counts.Unidentified > 1 {
		return
	}
	s.config.Recorder.Record(Event{Kind: Gap, Name: GapIdentities, Value: float64(s.gaps), Client: client, Detail: why})
	s.gaps = 0
}

// note writes a line to the runbook log, once for each topic and thing.
func (s *Shadow) note(topic, thing, text string) {
	if key := thing + "\x00" + topic; !s.noted[key] && len(s.noted) < maxTopics {
		s.noted[key] = true
		s.config.Recorder.Record(Event{Kind: Note, Name: "shadow", Detail: fmt.Sprintf("topic %q: %s", topic, text)})
	}
}
