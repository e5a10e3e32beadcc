// Package kafkatest gives tests a Kafka to talk to: Apache Kafka itself, run
// from the jars of Maven Central, or franz-go's in-process fake over TCP.
//
// # Apache Kafka
//
// [Start] gives a test a cluster of its own; a [Pool] lends one cluster to all
// tests of a package:
//
//	var brokers kafkatest.Pool
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(brokers.Main(m)) }
//
//	func TestKafkaSomething(t *testing.T) {
//		c := brokers.Cluster(t)
//		topic := c.NewTopic(t, 8)
//		…
//	}
//
// Real brokers cost seconds and 350 MB each, so they run only when asked for,
// by the environment variable ESM_KAFKA:
//
//	unset           skip, saying how to run them; where CI=true is set: run
//	0               skip, in CI too
//	1               run, on [DefaultVersion]
//	4.0.0, 2.8.2 …  run, on that version where the test names none
//
// Tests that are asked to run and cannot (no java, no mvn, no network) fail:
// nothing that was asked for is skipped in silence. A test, benchmark or
// example that starts a real broker has "Kafka" in its top-level name, so that
// `go test -run Kafka` finds all of them; [Start] refuses any other.
//
// # In-process
//
// [Fake] starts franz-go's kfake. It costs milliseconds and needs nothing, and
// has the same [Client] face, so one test body can serve both.
package kafkatest
