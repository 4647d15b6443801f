// Package nats is the queue driver for NATS JetStream.
//
// # URL
//
//	nats://[user:password@]host:port[,host:port…][?parameter=value&…]      (tls:// for TLS)
//
// Parameters are those of [Config]: replicas, storage (file, memory), max-msgs, retention (limits, workqueue), ack-timeout,
// send-timeout, settle-timeout, dedup-window, window. An unknown or repeated one is an error. A user without a password is a
// token.
//
// A topic is one stream ([StreamName]) with one subject ([SubjectName]), created if it is missing. With limits retention, the
// default, every group gets all messages, from the first that the stream still holds. With workqueue retention an acked message
// leaves the stream, so that max-msgs bounds what waits; the topic then has one group, and a second one is refused. A group is a durable pull consumer ([ConsumerName]) with
// explicit acks. Sessions of one [Conn] share one connection.
//
// # Delivery semantics
//
// At least once. A send is pipelined: up to [Config.Window] messages of a producer wait for their PubAck. Message.ID becomes
// Nats-Msg-Id, so that a retry with the same ID within the stream's deduplication window is stored once, and its Result says
// Duplicate. What the answers prove:
//
//   - OK: a PubAck. The stream has it: at a quorum of its replicas where it has several, and on disk only if the server syncs
//     always (otherwise in the page cache: safe from a killed process, not from a power cut).
//   - Failed: the stream is full (10077 with the words of a limit), the message or its headers are too large (10054, 10097,
//     the client's own check), the stream is sealed (10109), the server's queue for the stream was full (10167), the client
//     was not connected and wrote nothing. And 503 "no responders": the one server that took the publish from the client says
//     that it passed it to nobody, neither to a stream of its own nor over a route, leaf or gateway. The client writes each
//     publish once, and nobody else has it, so nobody can store it.
//   - Unknown: everything else. No answer within SendTimeout; a lost connection, which ends everything in flight at once,
//     because a retry with the same ID finds the truth sooner than a reply that may never come; a newly elected stream
//     leader, which ends what was sent before it after a short grace; 10158 (the same ID is being stored at this moment),
//     10008, 10023 and any other error, since a replica may still store what its leader refused.
//
// While the connection is down, Produce holds what it has not written until the client is connected again, SendTimeout is over
// or its context ends, and then reports it as refused. Nothing is kept to be written behind the caller's back.
//
// # Order
//
// The messages of a topic have one order, their stream sequence, which is Result.Offset and Delivery.Offset. A group with one
// consumer gets them in that order, redeliveries aside. Confirmed messages of one Produce call are stored in their order; one
// that was refused or is unknown in the middle, and is sent again, comes later.
//
// # What a redelivery is
//
// A message that is not settled within the consumer's ack timeout, or was given back, is delivered again to any member of the
// group, after messages that were sent later. Delivery.Attempt counts deliveries exactly, also those that were lost on their way
// to a client: the first that a consumer sees may be attempt 2. A redelivery that the server has sent, or is sending, when the
// ack of the earlier delivery arrives is handed out all the same: work that takes nearly the ack timeout may see its message
// again after a confirmed ack. Closing a consumer gives back what it holds, at once; a consumer
// that is closed with an ended context, or whose process is killed, leaves it to the ack timeout. Unsettled messages survive
// their session: a later ack of any session counts, so Delivery.Claim is 0 and ErrStale does not occur.
//
// # What an ack proves
//
// Settle sends all acks of a batch at once, each with a reply subject, and waits for the server's confirmations. Confirmed means
// that the consumer's leader recorded it, at a quorum of the replicas where there are several. An unreplicated consumer writes
// its state behind: a kill of that server may undo acks of the last moments. An unanswered ack is sent again (acks are
// idempotent) for SettleTimeout, which outlasts an election; then it is ErrUnconfirmed.
//
// # What delay means
//
// Nack(after) is a NAK with that delay, counted by the server from its arrival; others pass the message meanwhile. A message
// with NotBefore is refused: delayed sends are not supported.
//
// # What is not supported
//
// NotBefore, transactions, cumulative acks, JetStream domains, more than one subject a stream, streams or consumers with other
// settings than those that were asked for (an error, never an update of somebody else's stream).
//
// # Headers
//
// NATS keeps the order of the values of one key, and none across keys. This driver adds a header that lists the order where
// there is more than one key, and encodes keys and values that NATS would change or act on, so that Headers arrive as they were
// sent. Messages of foreign publishers get their headers sorted by key.
package nats
