// Package membroker is an Apache Kafka broker in memory: topics with partitions, consumer groups that rebalance
// cooperatively, commits to read back, and faults on demand. Package esmtest shows it to users; it lives here so that
// the root package's own tests can use it too, which esmtest imports.
//
// A Broker starts no goroutine, opens no socket and needs no cgo. It waits on channels and timers only, and makes
// them where it is used, so it works in a [testing/synctest] bubble as well as outside one: make the Broker inside
// the bubble. What a consumer sees depends only on the order of calls, never on chance or on real time.
package membroker
