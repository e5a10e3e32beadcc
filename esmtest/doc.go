// Package esmtest helps to test handlers and mappings without Kafka, at three levels:
//
//   - [Event] builds the event that a mapping would deliver, to call a handler directly.
//   - [Invoke] hands records to a handler through the real executor, as one mapping would, and says what became of
//     them: retries, halves, partial responses, drops, commits.
//   - [Start] runs a mapping on a [Broker], an Apache Kafka broker in memory with topics, consumer groups that rebalance,
//     commits to read back and faults on demand; its [Recorder] has every invocation, for [Expect] and
//     [ExpectExactly].
//
// All of it works in a [testing/synctest] bubble as well as outside one: make the Broker inside the bubble. A Broker
// starts no goroutine, opens no socket and needs no cgo; what a consumer sees depends only on the order of calls, never
// on chance or on real time.
package esmtest
