package history

import "github.com/havoqlab/havoq/queue"

// receipt is put around the driver's, so that whoever processes or settles the delivery knows its message without reading the
// envelope again.
type receipt struct {
	driver   any
	topic    string // that the delivery was read from, where it is another one than its message's own
	identity queue.Identity
}

// Receipts are allocated together, few at a time, because as long as one of them is kept, what the driver keeps with the others
// is, too. Where there are only one or two deliveries, reading the envelopes again is as cheap.
const (
	receiptsTogether = 8
	receiptsFrom     = 3
)

// receipts wraps those of one call of Receive.
type receipts struct {
	left int // deliveries
	room []receipt
}

// wrap notes a delivery's identity, and the topic that it was read from if it is another one than its message's own.
func (r *receipts) wrap(d *queue.Delivery, id queue.Identity, topic string) {
	if len(r.room) == 0 {
		if r.left < receiptsFrom && topic == "" {
			return
		}
		r.room = make([]receipt, min(r.left, receiptsTogether))
	}
	own := &r.room[0]
	own.driver, own.identity = d.Receipt, id
	if topic != "" {
		own.topic = topic
	}
	d.Receipt = own
	r.room = r.room[1:]
	r.left--
}

// about fills in what an event says of a delivery, whose message is known by its envelope alone.
func about(e *Event, d *queue.Delivery, run uint32) {
	r, ok := d.Receipt.(*receipt)
	if !ok { // it was not received through the hooks
		envelope, err := envelopeOf(&d.Message)
		e.Identity, e.Damage = envelope.Identity, damageOf(envelope, err, run)
		return
	}
	e.Identity, e.Name = r.identity, r.topic
	if r.identity.Run != run {
		e.Damage = Foreign
	}
}

// unwrapped returns the deliveries with the driver's receipts, in memory that is used again after release.
func (h *hooks) unwrapped(ds []queue.Delivery) (own *[]queue.Delivery) {
	own, ok := h.settling.Get().(*[]queue.Delivery)
	if !ok {
		own = new([]queue.Delivery)
	}
	*own = append((*own)[:0], ds...)
	for i := range *own {
		d := &(*own)[i]
		if r, ok := d.Receipt.(*receipt); ok {
			d.Receipt = r.driver
		}
	}
	return own
}

// maxKept is how many deliveries' memory is kept for the next call.
const maxKept = 1024

func (h *hooks) release(own *[]queue.Delivery) {
	if cap(*own) <= maxKept {
		h.settling.Put(own) // as it is: what no call uses is soon forgotten, with all that it holds
	}
}
