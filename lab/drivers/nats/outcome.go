package nats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/havoqlab/havoq/queue"
	natsgo "github.com/nats-io/nats.go"
)

// Error codes of JetStream that prove that a message was not stored: each is answered by the stream's leader before it
// proposes the message to its replicas, or by all replicas alike. 10023 (insufficient resources) is not among them: one
// replica may lack what the others have.
const (
	codeTooLarge        = 10054
	codeStoreFailed     = 10077 // any failure of the store; its words tell the limits, which are proven, from the rest
	codeHeadersTooLarge = 10097
	codeSealed          = 10109
	codeTooMany         = 10167
)

// limits are the descriptions of 10077 that mean "the stream is full".
func limits() []string {
	return []string{"maximum messages exceeded", "maximum bytes exceeded", "maximum messages per subject exceeded",
		"message too large"}
}

// pubAck is the answer to a publish.
type pubAck struct {
	Stream    string    `json:"stream"`
	Seq       uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
	Error     *apiError `json:"error"`
}

type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.ErrCode) }

// failed is the Result of a message that was not confirmed.
func failed(err error) queue.Result { return queue.Result{Partition: -1, Offset: -1, Err: err} }

// quickAck reads the usual PubAck, {"stream":"S","seq":N} with this prefix before N, without a JSON decoder.
func quickAck(prefix, data []byte) (int64, bool) {
	if len(data) < len(prefix)+2 || !bytes.HasPrefix(data, prefix) || data[len(data)-1] != '}' {
		return 0, false
	}
	n := int64(0)
	for _, c := range data[len(prefix) : len(data)-1] {
		if c < '0' || c > '9' || n > (1<<62)/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n > 0
}

func ackPrefix(stream string) []byte { return []byte(`{"stream":` + strconv.Quote(stream) + `,"seq":`) }

// resultOf classifies the server's answer to a publish; wrap adds what was done and where.
func resultOf(m *natsgo.Msg, wrap func(cause, outcome error) error) queue.Result {
	if noResponders(m) {
		return failed(wrap(errors.New("503: no stream takes it: its leader is being elected, or it does not exist"), queue.ErrRefused))
	}
	var ack pubAck
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return failed(wrap(fmt.Errorf("an answer that is no PubAck: %.80q", m.Data), queue.ErrUnconfirmed))
	}
	switch {
	case ack.Error != nil && refusal(ack.Error):
		return failed(wrap(ack.Error, queue.ErrRefused))
	case ack.Error != nil:
		return failed(wrap(ack.Error, queue.ErrUnconfirmed))
	case ack.Seq == 0:
		return failed(wrap(fmt.Errorf("a PubAck without a sequence: %.80q", m.Data), queue.ErrUnconfirmed))
	}
	return queue.Result{Offset: int64(ack.Seq), Duplicate: ack.Duplicate}
}

func refusal(e *apiError) bool {
	switch e.ErrCode {
	case codeTooLarge, codeHeadersTooLarge, codeSealed, codeTooMany:
		return true
	case codeStoreFailed:
		return slices.Contains(limits(), e.Description)
	default:
		return false
	}
}

// noResponders reports the server's own 503: it passed the request to nobody.
func noResponders(m *natsgo.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }

// offline reports the client's error for a publish while it is not connected: nothing was written, nor will be.
func offline(err error) bool {
	return errors.Is(err, natsgo.ErrReconnectBufExceeded) || errors.Is(err, natsgo.ErrDisconnected)
}

// unwritten reports that the client itself refused a publish before writing any of it.
func unwritten(err error) bool {
	return offline(err) || errors.Is(err, natsgo.ErrMaxPayload) || errors.Is(err, natsgo.ErrConnectionClosed) ||
		errors.Is(err, natsgo.ErrBadSubject) || errors.Is(err, natsgo.ErrHeadersNotSupported) ||
		errors.Is(err, natsgo.ErrConnectionDraining) || errors.Is(err, natsgo.ErrBadHeaderMsg)
}
