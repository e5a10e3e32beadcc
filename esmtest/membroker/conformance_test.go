package membroker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/drivertest"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

func TestConformance(t *testing.T) {
	// The environment of the running case: cases run one after the other.
	var broker *membroker.Broker
	drivertest.Run(t, drivertest.Target{
		Environment: func(tb testing.TB) drivertest.Environment {
			broker = membroker.NewBroker(tb)
			return memory(broker)
		},
		Driver: func(drivertest.Environment) driver.Driver { return broker.Driver() },
	})
}

// memory adapts a Broker to the suite.
func memory(b *membroker.Broker) drivertest.Environment {
	records := func(rs []drivertest.Record) []membroker.Record {
		out := make([]membroker.Record, len(rs))
		for i, r := range rs {
			out[i] = membroker.Record{Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}
			if r.Timestamp != 0 {
				out[i].Timestamp = time.UnixMilli(r.Timestamp)
			}
		}
		return out
	}
	// The broker takes a record's kind of timestamp from the record.
	appendTime := make(map[string]bool)
	var thaw []func()
	return drivertest.Environment{
		Name:           "memory",
		Bootstrap:      []string{"memory:9092"},
		SessionTimeout: time.Second,
		Lacks:          map[string]string{"Spoil": "records are not sent as bytes"},
		CreateTopic: func(_ testing.TB, topic string, partitions int32, _ ...string) {
			b.CreateTopic(topic, partitions)
		},
		AppendTime: func(_ testing.TB, topic string) {
			b.CreateTopic(topic, 1)
			appendTime[topic] = true
		},
		Produce: func(_ testing.TB, topic string, rs ...drivertest.Record) {
			out := records(rs)
			for i := range out {
				if appendTime[topic] {
					out[i].TimestampType, out[i].Timestamp = event.LogAppendTime, time.Time{}
				}
			}
			b.Produce(topic, out...)
		},
		Committed: func(_ testing.TB, group string, tp driver.TopicPartition) driver.Committed {
			return b.Committed(group, tp.Topic, tp.Partition)
		},
		Begin: func(_ testing.TB, topic string, rs ...drivertest.Record) func(bool) {
			tx := b.Begin()
			tx.Produce(topic, records(rs)...)
			return func(commit bool) {
				if commit {
					tx.Commit()
				} else {
					tx.Abort()
				}
			}
		},
		Compacted: func(_ testing.TB, topic string) []int64 {
			b.Produce(topic, membroker.Values("0", "1", "2", "3", "4", "5")...)
			b.Compact(topic, 0, func(offset int64, _ []byte) bool { return offset == 1 || offset == 4 })
			return []int64{1, 4}
		},
		DeleteTopic:   func(_ testing.TB, topic string) { b.DeleteTopic(topic) },
		AddPartitions: func(_ testing.TB, topic string, total int32) { b.CreateTopic(topic, total) },
		DeleteRecords: func(_ testing.TB, tp driver.TopicPartition, before int64) {
			b.DeleteRecords(tp.Topic, tp.Partition, before)
		},
		Kick: func(_ testing.TB, _ string, m driver.Member) { b.Lose(m.ID) },
		// Without real brokers only this is visible: a call is rejected before it reaches the right broker.
		MoveCoordinator: func(testing.TB, string) {
			for _, op := range []membroker.Op{membroker.OpCommit, membroker.OpCommitted} {
				b.Fail(op, 1, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("not the coordinator any more")})
			}
		},
		MoveLeader: func(_ testing.TB, tp driver.TopicPartition) { b.MoveLeader(tp.Topic, tp.Partition) },
		Stop:       func(testing.TB) { b.Stop() },
		Start:      func(testing.TB) { b.Start() },
		Freeze: func(testing.TB) {
			for _, op := range []membroker.Op{membroker.OpPoll, membroker.OpCommit, membroker.OpCommitted, membroker.OpListOffsets, membroker.OpTopics, membroker.OpClose} {
				thaw = append(thaw, b.Hang(op))
			}
		},
		Thaw: func(testing.TB) {
			for _, release := range thaw {
				release()
			}
			thaw = nil
		},
	}
}
