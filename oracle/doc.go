// Package oracle judges a history against the delivery contract that its user declared: what was lost, doubled, reordered or
// corrupted, and whether each anomaly was caused by a recorded hit, happened during a fault, or is unexplained.
//
// A [Judge] reads the events once, in the order in which they happened; [JudgeAll] reads them a second time for the life of each
// witness. [RunSelfTest] plants anomalies into a copy of the events and says which of them the judge found.
//
// # Memory
//
// A message in flight costs 40 bytes, and 16 for each further group. Up to [Config.Memory], messages that are settled cost the
// same, so that all can be told of them if they come again. Older ones, which every group that reads them has passed, are given up
// by the page: an ordinary message then costs nothing (its page of 2048 some 90 bytes), and one that is lost, doubled or in doubt
// about two bytes and a share of its page. What can still be told of it is what it came to and, within its page, when; what cannot
// is whether it is late or out of order when it comes for the first time after that: then these promises are unknown. So memory
// grows with what is in flight and with what is wrong, and not with the run.
//
// # Sources
//
// A history may come from recorded clients of the queue, which see everything, or from sources that see less: a topic that is
// read, a table that is listed. Those say so by a [history.Source]. Of what a source cannot see, a contract that asks for it is
// unknown, and what every contract forbids is left out. Where a group's source tells only of the work, the work stands for the
// delivery.
//
// # What a message comes to
//
// A message is acked if one of its sends was confirmed; else in doubt if one of them is unknown or never got its outcome; else
// failed. So offered = acked + failed + in doubt. For each group that is responsible for it, an acked message is processed,
// dead-lettered, queued (the drain failed and the broker said how many messages it still holds), lost (the drain is proven), or
// unaccounted (nobody knows: the verdict is unknown; so it is, too, if it was sent on to another topic and the outcome of that
// is not known). Processed is what counts: a message that was delivered and acked by a
// consumer that crashed before the work is lost.
//
// A group is responsible for every stream that it ever got a message of; and for all of them if it got none, if there is only
// one, or if no group got any of it. A group that got messages, and none of a stream that another group read, may have no
// business there or may have lost all of it: that is a doubt.
//
// What has a Name goes another way than its message's own topic, to dead letters or over a bridge. Such a send changes nothing of
// what the message came to; such a delivery makes no group responsible for the stream, and is a copy: neither a repetition nor
// late nor out of order. Work on it counts.
//
// # Anomalies
//
// All are counted per group, repetitions each time.
//
//	anomaly               what it is                                                      breaks
//	lost                  acked, neither processed nor dead-lettered, the group's drain   at-least-once, exactly-once
//	                      is proven, and nothing was acked after that drain
//	duplicated            delivered again after an ack of the same claim was confirmed;   at-most-once, exactly-once
//	                      or processed more often than delivered; or, under at-most-once
//	                      and exactly-once, processed again at all. A processing that
//	                      follows a delivery that counts already is not counted again.
//	redelivered           delivered again, otherwise                                      nothing
//	reordered             delivered for the first time after a later message of the same  a contract with that order
//	                      key (or, under order producer, of the same track; under order
//	                      partition, of the same track in that partition) whose first send
//	                      began when this one was confirmed already
//	corrupted             payload or envelope damaged                                     every contract
//	unexpected            an envelope of this run that was never sent (in a history that  every contract
//	                      was cut off, numbers reserved and not told of are unknown, not
//	                      unexpected); or a message without an envelope of this run
//	failed_but_delivered  delivered or processed, although every send of it was proven to have failed  every contract
//	late                  first delivered later than MaxDelay after it was meant to be    a contract with MaxDelay
//	                      sent
//
// What breaks every contract, a contract may allow (see [Contract.Allow]).
//
// A message in doubt that is delivered is no anomaly, and one that never arrives is none.
//
// # Attribution
//
// An anomaly is caused if a [history.Hit] on that very message, of a fault whose verb allows the anomaly, was not spent yet (a
// hit is spent once for a group); during, if its window meets a fault's, from the act until it was seen gone and SettleTime
// more; else unexplained. The windows:
//
//	lost                      first send to the group's first delivery of a later message of the track, else to the drain; if
//	                          it was delivered itself, at least as long after that as the group ever took to work on one
//	duplicated, redelivered   first delivery to this one (or to the second processing)
//	reordered                 first send to first delivery
//	late                      intended send to first delivery
//	failed_but_delivered      first send to first delivery
//	corrupted, unexpected     the delivery
//
// The verb is the first word of the hit's Detail, or of FaultBegin's, or the fault's name. Only caused may be forgiven.
//
// # Verdict
//
// Each promise of the contract is a [Check]. One that fails makes the verdict fail. Otherwise what could not be known makes it
// unknown, with the reasons: a check that is unknown or crashed, a history without its end, a drain that is not proven, a fault
// that never struck or was not seen gone, nothing sent, nothing processed, events after the end. The rest passes.
//
// A check is unknown that nobody could make: no delivery was told of what was processed, so that nobody looked at it; the
// recorder forgot keys or retries (see [history.Gap]), so that order or repetitions may not show; or no order was promised. A
// drain proves what it says only for what came before it: a message acked or delivered later takes the proof back.
//
// The outcome of a settlement must be OK only where the broker confirmed it; see queue.Caps.
package oracle
