// Package kafkaenv provides the environment of driver/drivertest on clusters of package kafkatest, whose brokers can be
// killed and frozen, and whose leaders can be moved.
package kafkaenv

import (
	"fmt"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/drivertest"
	"github.com/esm-go/esm/internal/kafkatest"
)

// Options returns the options that a cluster needs so that [New] can do everything, followed by the caller's.
func Options(more ...kafkatest.Option) []kafkatest.Option {
	return append([]kafkatest.Option{
		kafkatest.Property("group.min.session.timeout.ms", "1000"),
		kafkatest.Property("log.cleaner.backoff.ms", "100"),
		kafkatest.Property("message.max.bytes", "8000000"),
		kafkatest.Property("replica.fetch.max.bytes", "8000000"),
	}, more...)
}

// New returns an environment on Apache Kafka. The cluster may be lent to many cases, one after the other. It is killed
// and frozen, so no other test may use it meanwhile. A cluster of several nodes can move leaders and coordinators, see
// drivertest.Moves; only one of a single node can stop and freeze as a whole.
func New(t testing.TB, c *kafkatest.Cluster) drivertest.Environment {
	t.Helper()
	e := drivertest.Kafka(t, c.Bootstrap()...)
	e.Name = "kafka " + c.Version()
	e.SessionTimeout = 2 * time.Second
	e.Lacks = map[string]string{"Spoil": "nothing stands between the client and the broker"}
	e.Compacted = func(t testing.TB, topic string) []int64 { return compacted(t, c, e, topic) }
	if len(e.Bootstrap) > 1 {
		e.MoveCoordinator = func(t testing.TB, group string) { c.MoveCoordinator(t, group) }
		e.MoveLeader = func(t testing.TB, p driver.TopicPartition) { c.MoveLeader(t, p.Topic, p.Partition) }
		lack(e, "the other brokers go on: Run on a single one has these", "Stop", "Freeze")
	} else {
		e.Stop = func(t testing.TB) { c.Kill(t, 1) }
		e.Start = func(t testing.TB) { c.Restart(t, 1) }
		e.Freeze = func(t testing.TB) { c.Freeze(t, 1) }
		e.Thaw = func(t testing.TB) { c.Thaw(t, 1) }
		lack(e, "a single broker has no other to give it to: Moves on several has these", "MoveCoordinator", "MoveLeader")
	}
	age(&e, c)
	return e
}

// age removes what the broker's version does not support.
func age(e *drivertest.Environment, c *kafkatest.Cluster) {
	for _, since := range []struct {
		version string
		what    string
		needs   []string
	}{
		{"0.11", "message format 2", []string{"Headers", "Begin"}},
		{"0.11", "DeleteRecords", []string{"DeleteRecords"}},
		{"2.3", "group.instance.id", []string{"StaticMembers"}},
		{"2.8", "topic ids", []string{"TopicIDs"}},
	} {
		if c.Older(since.version) {
			lack(*e, fmt.Sprintf("%s came with %s", since.what, since.version), since.needs...)
		}
	}
	if c.Older("1.0") {
		// CreatePartitions came with 1.0; before that, Kafka's tool writes to ZooKeeper.
		e.AddPartitions = func(t testing.TB, topic string, total int32) { c.GrowTopicByTool(t, topic, int(total)) }
	}
}

func lack(e drivertest.Environment, reason string, names ...string) {
	for _, n := range names {
		e.Lacks[n] = reason
	}
}

// compacted writes keys more than once and waits for the log cleaner.
func compacted(t testing.TB, c *kafkatest.Cluster, e drivertest.Environment, topic string) []int64 {
	t.Helper()
	c.CreateTopic(t, topic, 1, "cleanup.policy=compact", "min.cleanable.dirty.ratio=0.01", "segment.ms=100")
	for _, key := range []string{"first", "a", "b", "a", "b", "a"} {
		e.Produce(t, topic, drivertest.Record{Key: []byte(key), Value: []byte(key)})
	}
	// A record after segment.ms rolls the segment. Then the cleaner runs; the last record stays.
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
			e.Produce(t, topic, drivertest.Record{Key: []byte("last"), Value: []byte("last")})
		}
		if left, gap := c.Survivors(t, topic); gap {
			return left
		}
	}
}
