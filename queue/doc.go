// Package queue is the vocabulary of havoq: messages, deliveries, and the one small seam that every broker driver
// implements and every wrapper (chaos, history, observe, resilience, qdelay) wraps.
//
// A [Queue] opens [Producer] and [Consumer] sessions on topics. A producer takes batches and reports one [Result] for each
// message; a consumer receives [Delivery] values and settles them with an ack or a nack. A delivery is data: it carries the
// driver's receipt, and the verbs belong to the consumer, so that a wrapper sees every ack and needs no goroutine.
//
// # Three-valued truth
//
// A send is [OK], [Failed] or [Unknown]. A driver reports Failed (an error that wraps [ErrRefused]) only where the broker
// proved, or the driver knows, that the message was not taken. Everything else (a time-out, a cut connection) is Unknown:
// the message may or may not be in the queue.
//
// # The order of the stack
//
// Wrappers compose with [Wrap], outermost first. The order is this one, everywhere:
//
//	app → history → observe → resilience → chaos → driver → proxy → broker
//
// History is outermost, because the oracle judges what the application was told. Chaos is innermost, so that resilience
// meets the same faults that a broker would have caused.
package queue
