package franz

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/kafkatest"
)

var brokers kafkatest.Pool

// kafkaConfig returns config with timeouts that a real broker accepts.
func kafkaConfig(c *kafkatest.Cluster, topics ...string) driver.Config {
	cfg := config(c.Bootstrap(), fmt.Sprintf("g-%d", time.Now().UnixNano()), topics...)
	cfg.SessionTimeout, cfg.HeartbeatInterval = 6*time.Second, 500*time.Millisecond
	return cfg
}

func TestKafkaReadsAndCommits(t *testing.T) {
	c := brokers.Cluster(t)
	topic := c.NewTopic(t, 4, "message.timestamp.type=LogAppendTime")
	const n = 40_000
	c.ProduceN(t, topic, n, func(i int) *kgo.Record {
		return kafkatest.At(int32(i%4), &kgo.Record{Value: fmt.Appendf(nil, "%d", i)})
	})
	cfg := kafkaConfig(c, topic)
	a := join(t, cfg, following(t))
	b := join(t, cfg, following(t))
	count := func(m *member) (n int) {
		for _, rs := range m.records {
			n += len(rs)
		}
		return n
	}
	a.until(t, "both have a share", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(a.owned) == 2 && len(b.owned) == 2
	})
	for p := range int32(4) {
		for _, m := range []*member{a, b} {
			m.mu.Lock()
			mine := m.owned[tp(topic, p)]
			m.mu.Unlock()
			if mine {
				m.until(t, "read", func() bool { return m.next[tp(topic, p)] == n/4 })
			}
		}
	}
	a.leave(t)
	b.leave(t)
	if got := count(a) + count(b); got != n {
		t.Errorf("%d records delivered, want %d", got, n)
	}
	for p, offset := range c.Committed(t, cfg.GroupID, topic) {
		if offset != n/4 {
			t.Errorf("partition %d committed at %d", p, offset)
		}
	}
	for _, rs := range a.records {
		if rs[0].TimestampType != event.LogAppendTime || time.Since(rs[0].Time()) > time.Hour {
			t.Errorf("%v at %v", rs[0].TimestampType, rs[0].Time())
		}
	}
}

func TestKafkaOutOfRange(t *testing.T) {
	c := brokers.Cluster(t)
	topic := c.NewTopic(t, 2)
	c.ProduceN(t, topic, 40, func(i int) *kgo.Record { return kafkatest.At(int32(i%2), &kgo.Record{Value: []byte("v")}) })
	c.DeleteRecords(t, topic, map[int32]int64{0: 10})
	m := join(t, kafkaConfig(c, topic), func(m *member) {
		m.onAssign = func(m *member, list []driver.TopicPartition) {
			m.consumer.Start([]driver.Start{{TopicPartition: tp(topic, 0), Offset: 3}, {TopicPartition: tp(topic, 1), Offset: 300}})
		}
	})
	m.until(t, "both reported", func() bool { return m.has(driver.KindOffsetOutOfRange) == 2 })
	m.consumer.Start(starts([]driver.TopicPartition{tp(topic, 0), tp(topic, 1)}, 10, 1))
	m.until(t, "read", func() bool { return m.next[tp(topic, 0)] == 20 && m.next[tp(topic, 1)] == 20 })
	if n := m.has(driver.KindOffsetOutOfRange); n != 2 {
		t.Errorf("reported %d times: %v", n, m.errs)
	}
}

func TestKafkaTransactionMarkers(t *testing.T) {
	c := brokers.Cluster(t)
	topic := c.NewTopic(t, 1)
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		cl := c.Connect(t, kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
		if err := errors.Join(cl.BeginTransaction(), cl.ProduceSync(ctx(t), values(topic, 0, 0, 3)...).FirstErr(), cl.EndTransaction(ctx(t), end)); err != nil {
			t.Fatal(err)
		}
		cl.Close()
	}
	m := join(t, kafkaConfig(c, topic), startAt(0))
	m.until(t, "the position is behind the last marker", func() bool { return m.next[tp(topic, 0)] == 8 && m.end[tp(topic, 0)] == 8 })
	if n := len(m.records[tp(topic, 0)]); n != 3 {
		t.Errorf("%d records", n)
	}
}

func TestKafkaTopicMadeAgain(t *testing.T) {
	c := brokers.Cluster(t)
	topic := c.NewTopic(t, 2)
	c.ProduceN(t, topic, 20, func(i int) *kgo.Record { return kafkatest.At(int32(i%2), &kgo.Record{Value: []byte("old")}) })
	m := join(t, kafkaConfig(c, topic), startAt(0))
	both := []driver.TopicPartition{tp(topic, 0), tp(topic, 1)}
	m.until(t, "read", func() bool { return m.next[both[0]] == 10 && m.next[both[1]] == 10 })
	c.DeleteTopic(t, topic)
	c.CreateTopic(t, topic, 2)
	for p := range int32(2) { // through a client that does not know the old topic
		produce(t, c.Bootstrap(), values(topic, p, 100, 3)...)
	}
	m.until(t, "reported", func() bool { return m.has(driver.KindTopicRecreated) == 1 })
	m.consumer.Start(starts(both, 0, 2))
	m.until(t, "the new topic read", func() bool { return m.next[both[0]] == 3 && m.next[both[1]] == 3 })
	if rs := m.records[both[0]]; string(rs[len(rs)-1].Value) != "v102" {
		t.Errorf("got %q", rs[len(rs)-1].Value)
	}
}

func TestKafkaBrokerRestart(t *testing.T) {
	c := kafkatest.Start(t)
	topic := c.NewTopic(t, 1)
	c.Produce(t, kafkatest.At(0, &kgo.Record{Topic: topic, Value: []byte("1")}))
	m := join(t, kafkaConfig(c, topic), startAt(0))
	m.until(t, "read", func() bool { return m.next[tp(topic, 0)] == 1 })
	c.Kill(t, 1)
	m.until(t, "reported", func() bool { return m.has(driver.KindUnavailable) == 1 })
	c.Restart(t, 1)
	c.WaitLeaders(t, topic, 1)
	c.Produce(t, kafkatest.At(0, &kgo.Record{Topic: topic, Value: []byte("2")}))
	m.until(t, "read again", func() bool { return m.next[tp(topic, 0)] >= 2 })
	if n := m.has(driver.KindUnavailable); n > 2 {
		t.Errorf("reported %d times", n)
	}
}
