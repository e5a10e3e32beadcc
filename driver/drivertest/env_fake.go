package drivertest

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// Fake returns a new environment on franz-go's in-process Kafka over TCP: three nodes, behind listeners that can be
// stopped and frozen. It ends with the test.
func Fake(t testing.TB) Environment {
	t.Helper()
	g := newGate()
	c := kafkatest.Fake(t, kfake.NumBrokers(3), kfake.ListenFn(g.listen))
	t.Cleanup(g.thaw)
	e := overKafka(t, c.Client)
	e.Name = "kfake"
	e.SessionTimeout = time.Second
	e.Lacks = map[string]string{
		needAppendTime: "kfake goes by the producer's word, not by the topic's configuration, and leaves the batch's checksum wrong",
	}
	e.Background = []goleak.Option{goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read.func1"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).write")}
	e.Compacted = func(t testing.TB, topic string) []int64 {
		c.CreateTopic(t, topic, 1, "cleanup.policy=compact", "min.compaction.lag.ms=0")
		// Each record is a separate batch: compaction only cleans batches that are not active.
		for _, key := range []string{"first", "a", "b", "a", "b", "a", "last"} {
			e.Produce(t, topic, Record{Key: []byte(key), Value: []byte(key)})
		}
		c.Kfake.Compact()
		left, gap := c.Survivors(t, topic)
		if !gap {
			t.Fatalf("compaction of %s left no gap", topic)
		}
		return left
	}
	e.MoveCoordinator = func(_ testing.TB, group string) {
		// A rehash leaves one group in three where it is.
		for was := c.Kfake.CoordinatorFor(group); c.Kfake.CoordinatorFor(group) == was; {
			c.Kfake.RehashCoordinators()
		}
	}
	e.MoveLeader = func(t testing.TB, p driver.TopicPartition) {
		next := (c.Kfake.LeaderFor(p.Topic, p.Partition) + 1) % 3
		if err := c.Kfake.MoveTopicPartition(p.Topic, p.Partition, next); err != nil {
			t.Fatalf("move the leader of %v: %v", p, err)
		}
	}
	e.Stop = func(testing.TB) { g.stop() }
	e.Start = func(t testing.TB) {
		if err := g.start(); err != nil {
			t.Fatalf("listen again: %v", err)
		}
	}
	e.Freeze = func(testing.TB) { g.freeze() }
	e.Thaw = func(testing.TB) { g.thaw() }
	e.Spoil = func(_ testing.TB, on bool) { g.spoil(on) }
	return e
}
