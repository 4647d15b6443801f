// Package cluster runs a real cluster of nats-server nodes with JetStream, each an operating system process of its own, and
// does to them what happens to brokers in production: kill -9, pause, a graceful stop, a lost disk. Every act returns when
// its effect is seen, with one line of evidence.
//
// The nodes are copies of the running executable, started again with a mark in their environment. So the first statement
// of main, or of TestMain in a test binary, must be
//
//	cluster.Main()
//
// which returns at once in an ordinary process, and in a marked one becomes the node and never returns. Start in an
// executable that lacks the call fails with an error that says so.
//
// # Nothing is left behind
//
// However the owner ends, its nodes end, too. They are in process groups of their own, so the terminal's Ctrl-C reaches
// only the owner, which can then recover and close. Beyond that there are three nets, each enough by itself:
//
//   - Each node holds the read end of a pipe (its standard input) whose write end only the owner has, and exits at its end.
//     A paused node cannot.
//   - A keeper, one more copy of the executable, holds such a pipe, too, knows the nodes' process numbers and start times
//     (a number may be used again), and kills with SIGKILL what is left, paused or not.
//   - The kernel kills the nodes when the owner dies (Linux only: the parent death signal, sent by a thread that lives as long
//     as the cluster).
//
// Linux has all three. macOS has the first two: a node that is paused there outlives a kill -9 of both the owner and the
// keeper. On other systems, Windows among them, Start returns an error: there is no SIGSTOP, and nothing weaker is done in
// its place.
//
// # What a node is
//
// Nodes are called n1, n2, n3. Each listens on three ports of 127.0.0.1 (clients, routes, monitoring), keeps its store in
// Dir/n1, its configuration in Dir/n1.conf and its log in Dir/n1.log, and syncs each write to disk before it acknowledges
// it. The ports are outside the kernel's range for outgoing connections, because the port of a dead node could else be
// taken by one.
package cluster
