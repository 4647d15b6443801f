// Package queuetest is the conformance suite of queue's drivers and wrappers. A driver's test is one call:
//
//	func TestConformance(t *testing.T) {
//		queuetest.Run(t, queuetest.Harness{
//			Open: func(t testing.TB) queue.Queue { return connect(t) },
//		})
//	}
//
// [Run] opens the queue, reads its [queue.Caps] and tries every promise of the queue package's contracts that applies, each
// in a subtest with a topic of its own. What the capabilities rule out is never skipped in silence: it is counted, printed
// ("queuetest: 33 run, 2 not applicable: …") and returned in the [Summary], so that a driver's test can insist.
//
// # Writing a driver
//
// Implement queue.Queue, declare in Caps what the broker really does, and run the suite. Declaring less is always allowed;
// declaring what the broker does not do makes the suite fail. The points that drivers most often get wrong:
//
//   - done is called exactly once for each message: also after Close, with an ended context and with an empty window.
//   - A send is Failed (queue.ErrRefused) only if it is proven that the broker did not take the message. The suite sends
//     under a context that ends midway, and then looks whether an OK message is missing or a Failed one is there.
//   - A batch and its bodies belong to the caller again once done was called: copy what you keep.
//   - max is a hard bound of Receive: more that came at once is carried over to the next call.
//   - Receive that ends by its context loses nothing: what it had fetched is returned by a later call, or redelivered.
//   - Close of a consumer gives unsettled deliveries back; Settle afterwards reports an error for each delivery.
//   - Close leaves no goroutine behind. Goroutines of an embedded broker are named in Harness.BrokerGoroutines.
//
// # Wrappers
//
// A wrapper that does nothing must be invisible: run the suite around it with [Harness.Wrapped]. A wrapper that doubles or
// holds deliveries must carry over what exceeds max.
//
// # Time
//
// The suite never sleeps: it waits for conditions, up to Harness.Wait. That nothing comes (after an ack, before a delay is
// over) takes as long as the broker's ack timeout; configure one of one or two seconds for tests. Queues that live wholly
// in the test's process run in testing/synctest bubbles with Harness.Bubble, where waiting costs nothing.
//
// Run does not go well with tests that run in parallel to it, because it counts the process's goroutines.
package queuetest
