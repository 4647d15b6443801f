// Package workload is a load that an oracle can judge. Producers send at an exact schedule, consumers process and settle, and
// every message is accounted for, whatever the queue does:
//
//	scheduled = offered + waiting + not sent
//	offered   = acked + failed + in doubt + in flight + retrying
//
// # Open loop
//
// Message i of a run is meant to be sent at a time that the schedule fixes before the run begins. That time, and not the time of
// the call, is in its envelope, so a queue that stalls for two seconds shows latencies of two seconds (no coordinated omission).
// What cannot be sent in time waits in a backlog with a bound; what comes due while the backlog is full is counted as not sent,
// and a NotSent event says how many and why. With a rate of 0 the loop is closed: a producer sends as fast as its window allows.
//
// # What is recorded
//
// Config.Queue is already wrapped by history.Hooks, so the history has what was produced, delivered and settled. The workload adds
// what only the application knows: Processed, NotSent, Sample ("lag", "backlog", "inflight", four times a second) and Drain.
// Sessions are named with queue.WithClient: "producer-1", "consumer-1", also after a crash and a restart. Envelopes are the
// workload's own, so that a retry is the same message; its tracks are of epoch 0 and stream 0, which history.Config.Stream must say
// too (or every event carries the topic as if the message had gone elsewhere).
//
// # Time
//
// There is no clock to inject: everything runs in a testing/synctest bubble.
package workload
