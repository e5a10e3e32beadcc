package drivertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// KafkaOptions are what a cluster must be started with so that [Kafka] can do all it knows, and more that the caller wants.
func KafkaOptions(more ...kafkatest.Option) []kafkatest.Option {
	return append([]kafkatest.Option{
		kafkatest.Property("group.min.session.timeout.ms", "1000"),
		kafkatest.Property("log.cleaner.backoff.ms", "100"),
		kafkatest.Property("message.max.bytes", "8000000"),
		kafkatest.Property("replica.fetch.max.bytes", "8000000"),
	}, more...)
}

// Kafka returns an environment on Apache Kafka. The cluster may be lent to many cases, one after the other; it is
// killed and frozen, so no other test may use it meanwhile. One of several nodes moves leaders and coordinators, see
// [Moves]; only one of a single node goes away and hangs as a whole.
func Kafka(t testing.TB, c *kafkatest.Cluster) Environment {
	t.Helper()
	e := overKafka(t, c.Client)
	e.Name = "kafka " + c.Version()
	e.SessionTimeout = 2 * time.Second
	e.Lacks = map[string]string{needSpoil: "nothing stands between the client and the broker"}
	e.AppendTime = func(t testing.TB, topic string) {
		t.Helper()
		c.CreateTopic(t, topic, 1, "message.timestamp.type=LogAppendTime")
	}
	e.Compacted = func(t testing.TB, topic string) []int64 { return compacted(t, c, e, topic) }
	if len(e.Bootstrap) > 1 {
		e.MoveCoordinator = func(t testing.TB, group string) { c.MoveCoordinator(t, group) }
		e.MoveLeader = func(t testing.TB, p driver.TopicPartition) { c.MoveLeader(t, p.Topic, p.Partition) }
		e.lack("the other brokers go on: Run on a single one has these", needStop, needFreeze)
	} else {
		e.Stop = func(t testing.TB) { c.Kill(t, 1) }
		e.Start = func(t testing.TB) { c.Restart(t, 1) }
		e.Freeze = func(t testing.TB) { c.Freeze(t, 1) }
		e.Thaw = func(t testing.TB) { c.Thaw(t, 1) }
		e.lack("a single broker has no other to give it to: Moves on several has these", needMoveCoordinator, needMoveLeader)
	}
	e.age(c)
	return e
}

// age takes away what a broker's version does not have in its protocol.
func (e *Environment) age(c *kafkatest.Cluster) {
	for _, since := range []struct {
		version string
		what    string
		needs   []string
	}{
		{"0.11", "message format 2", []string{needHeaders, needBegin}},
		{"0.11", "DeleteRecords", []string{needDeleteRecords}},
		{"2.3", "group.instance.id", []string{needStatic}},
		{"2.8", "topic ids", []string{needTopicIDs}},
	} {
		if c.Older(since.version) {
			e.lack(fmt.Sprintf("%s came with %s", since.what, since.version), since.needs...)
		}
	}
	if c.Older("1.0") {
		// CreatePartitions came with it; its own tool asks ZooKeeper.
		e.AddPartitions = func(t testing.TB, topic string, total int32) { c.GrowTopicByTool(t, topic, int(total)) }
	}
}

func (e *Environment) lack(reason string, names ...string) {
	for _, n := range names {
		e.Lacks[n] = reason
	}
}

// compacted writes keys more than once and waits for the cleaner.
func compacted(t testing.TB, c *kafkatest.Cluster, e Environment, topic string) []int64 {
	t.Helper()
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
