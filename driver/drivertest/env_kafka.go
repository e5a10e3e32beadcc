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
	e.Compacted = func(t testing.TB, topic string) []int64 {
		c.CreateTopic(t, topic, 1, "cleanup.policy=compact", "min.cleanable.dirty.ratio=0.01", "segment.ms=100")
		for _, key := range []string{"first", "a", "b", "a", "b", "a"} {
			e.Produce(t, topic, Record{Key: []byte(key), Value: []byte(key)})
		}
		// A record after the segment's time rolls it; then the cleaner comes, and the record it left last stays.
		deadline := time.NewTimer(time.Minute)
		defer deadline.Stop()
		again := time.NewTicker(200 * time.Millisecond)
		defer again.Stop()
		for i := 0; ; i++ {
			select {
			case <-again.C:
			case <-deadline.C:
				t.Fatalf("compaction of %s left no gap", topic)
			}
			if i == 0 {
				e.Produce(t, topic, Record{Key: []byte("last"), Value: []byte("last")})
			}
			if left, gap := survivors(t, c.Client, topic); gap {
				return left
			}
		}
	}
	e.Stop = func(t testing.TB) { c.Kill(t, 1) }
	e.Start = func(t testing.TB) { c.Restart(t, 1) }
	e.Freeze = func(t testing.TB) { c.Freeze(t, 1) }
	e.Thaw = func(t testing.TB) { c.Thaw(t, 1) }
	return e
}
