// Package kafkatest provides a Kafka for tests: Apache Kafka itself, run from the jars of Maven Central, or franz-go's
// in-process fake over TCP.
//
// # Apache Kafka
//
// [Start] starts a cluster for one test; a [Pool] lends one cluster to all tests of a package:
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
// Each real broker takes seconds and 350 MB, so they run only on request, through the environment variable ESM_KAFKA:
//
//	unset           skip, saying how to run them; if CI=true is set: run
//	0               skip, even in CI
//	1               run, on [DefaultVersion]
//	4.0.0, 2.8.2 …  run, on that version unless the test names one
//
// Tests that should run but cannot (no java, no mvn, no network) fail: nothing that was requested is skipped silently.
// A test, benchmark or example that starts a real broker has "Kafka" in its top-level name, so that
// `go test -run Kafka` finds all of them; [Start] refuses any other.
//
// # In-process
//
// [Fake] starts franz-go's kfake. It takes milliseconds and needs nothing else. It has the same [Client] methods, so
// one test body can serve both.
package kafkatest
