package drivertest

import (
	"testing"
	"time"

	"github.com/esm-go/esm/internal/kafkatest"
)

// KafkaOptions are what a cluster must be started with so that [Kafka] can do all it knows.
func KafkaOptions() []kafkatest.Option {
	return []kafkatest.Option{
		kafkatest.Property("group.min.session.timeout.ms", "1000"),
		kafkatest.Property("log.cleaner.backoff.ms", "100"),
		kafkatest.Property("message.max.bytes", "8000000"),
		kafkatest.Property("replica.fetch.max.bytes", "8000000"),
	}
}

// Kafka returns an environment on Apache Kafka. The cluster may be lent to many cases, one after the other; it is
// killed and frozen, so no other test may use it meanwhile.
func Kafka(t testing.TB, c *kafkatest.Cluster) Environment {
	t.Helper()
	e := overKafka(t, c.Client)
	e.Name = "kafka " + c.Version()
	e.SessionTimeout = 2 * time.Second
	e.Stop = func(t testing.TB) { c.Kill(t, 1) }
	e.Start = func(t testing.TB) { c.Restart(t, 1) }
	e.Freeze = func(t testing.TB) { c.Freeze(t, 1) }
	e.Thaw = func(t testing.TB) { c.Thaw(t, 1) }
	return e
}
