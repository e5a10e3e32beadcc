// Package membroker is an Apache Kafka broker in memory: topics with partitions, consumer groups that rebalance
// cooperatively, commits to read back, and fault injection. Package esmtest exports it to users. It is a separate
// package because esmtest imports the root package, whose own tests use the broker too.
//
// A Broker starts no goroutine, opens no socket and needs no cgo. It waits on channels and timers only, and
// creates them where they are used, so it works both in a [testing/synctest] bubble, if it is created inside
// the bubble, and outside one. What a consumer sees depends only on the order of calls, never on chance or
// real time.
package membroker
