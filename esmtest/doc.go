// Package esmtest helps to test handlers and mappings without Kafka, at three levels:
//
//   - [Event] builds the event that a mapping would deliver, to call a handler directly.
//   - [Invoke] passes records to a handler through the real executor, as a mapping would, and reports what
//     happened to them: retries, halves, partial responses, drops, commits.
//   - [Start] runs a mapping on a [Broker], an Apache Kafka broker in memory with topics, consumer groups
//     that rebalance, commits to read back and fault injection. Its [Recorder] holds every invocation, for
//     [Expect] and [ExpectExactly].
//
// All of it works both in a [testing/synctest] bubble, if the Broker is created inside the bubble, and
// outside one. A Broker starts no goroutine, opens no socket and needs no cgo. What a consumer sees depends
// only on the order of calls, never on chance or real time.
package esmtest
