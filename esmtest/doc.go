// Package esmtest helps to test handlers and mappings without Kafka.
//
// A [Broker] is an Apache Kafka broker in memory: topics with partitions, consumer groups that rebalance
// cooperatively, commits to read back, and faults on demand. A mapping reaches it through [Broker.Driver].
//
// A Broker starts no goroutine, opens no socket and needs no cgo. It waits on channels and timers only, and makes
// them where it is used, so it works in a [testing/synctest] bubble as well as outside one: make the Broker inside
// the bubble. What a consumer sees depends only on the order of calls, never on chance or on real time.
package esmtest
