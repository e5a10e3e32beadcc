package drivertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// Kafka returns an environment on running brokers, reached without TLS or authentication. It can do what Kafka's
// protocol can. Lacks names the rest, which the caller may provide: stopping and freezing brokers, moving leaders and
// coordinators, waiting for a compaction.
func Kafka(t testing.TB, bootstrap ...string) Environment {
	t.Helper()
	c := kafkatest.On(t, bootstrap...)
	e := overKafka(t, c)
	e.Name = "kafka"
	e.AppendTime = func(t testing.TB, topic string) {
		t.Helper()
		c.CreateTopic(t, topic, 1, "message.timestamp.type=LogAppendTime")
	}
	e.Lacks = make(map[string]string)
	for _, need := range []string{needCompacted, needMoveCoordinator, needMoveLeader, needStop, needFreeze, needSpoil} {
		e.Lacks[need] = "Kafka's protocol has no way to do it"
	}
	return e
}

// overKafka returns what every Kafka can do through its protocol.
func overKafka(t testing.TB, c *kafkatest.Client) Environment {
	producer := c.Connect(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(16<<20),
		kgo.ProducerLinger(0), kgo.MetadataMinAge(50*time.Millisecond), kgo.UnknownTopicRetries(-1),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	return Environment{
		Bootstrap: c.Bootstrap(),
		CreateTopic: func(t testing.TB, topic string, partitions int32, configs ...string) {
			t.Helper()
			c.CreateTopic(t, topic, int(partitions), configs...)
		},
		Produce: func(t testing.TB, topic string, records ...Record) {
			t.Helper()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := producer.ProduceSync(ctx, kafkaRecords(topic, records)...).FirstErr(); err != nil {
				t.Fatalf("produce %d records to %s: %v", len(records), topic, err)
			}
		},
		Committed: func(t testing.TB, group string, p driver.TopicPartition) driver.Committed {
			t.Helper()
			return committedOf(t, c, group, p)
		},
		Begin: func(t testing.TB, topic string, records ...Record) func(bool) {
			t.Helper()
			return begin(t, c, topic, records)
		},
		DeleteTopic: func(t testing.TB, topic string) {
			c.DeleteTopic(t, topic)
			// A topic of the same name gets another ID.
			producer.PurgeTopicsFromProducing(topic)
		},
		AddPartitions: func(t testing.TB, topic string, total int32) { c.GrowTopic(t, topic, int(total)) },
		DeleteRecords: func(t testing.TB, p driver.TopicPartition, before int64) {
			c.DeleteRecords(t, p.Topic, map[int32]int64{p.Partition: before})
		},
		Kick: func(t testing.TB, group string, m driver.Member) {
			t.Helper()
			req := kmsg.NewPtrLeaveGroupRequest()
			req.Group = group
			req.MemberID = m.ID // before 2.4
			who := kmsg.NewLeaveGroupRequestMember()
			who.MemberID = m.ID
			req.Members = append(req.Members, who)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			resp, err := req.RequestWith(ctx, c.Connect(t))
			if err == nil {
				err = kerr.ErrorForCode(resp.ErrorCode)
			}
			if err == nil && len(resp.Members) == 1 {
				err = kerr.ErrorForCode(resp.Members[0].ErrorCode)
			}
			if err != nil {
				t.Fatalf("end the membership of %+v in %s: %v", m, group, err)
			}
		},
	}
}

func kafkaRecords(topic string, records []Record) []*kgo.Record {
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		k := &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		if r.Timestamp != 0 {
			k.Timestamp = time.UnixMilli(r.Timestamp)
		}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		out[i] = k
	}
	return out
}

// begin begins a transaction with a new producer. The function it returns ends the transaction and returns when the
// markers are in the log: the broker answers before that, and a record produced then could get an offset before them.
func begin(t testing.TB, c *kafkatest.Client, topic string, records []Record) func(commit bool) {
	t.Helper()
	id := kgo.TransactionalID(fmt.Sprintf("%s-%d", topic, time.Now().UnixNano()))
	cl := c.Connect(t, id, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := cl.BeginTransaction()
	if err == nil {
		err = cl.ProduceSync(ctx, kafkaRecords(topic, records)...).FirstErr()
	}
	if err != nil {
		t.Fatalf("begin a transaction: %v", err)
	}
	return func(commit bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		defer cl.Close()
		if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			t.Fatalf("end a transaction: %v", err)
		}
		// The broker does not give the ID to a successor until its transaction is complete.
		if _, _, err := c.Connect(t, id).ProducerID(ctx); err != nil {
			t.Fatalf("wait for the end of a transaction: %v", err)
		}
	}
}

func committedOf(t testing.TB, c *kafkatest.Client, group string, p driver.TopicPartition) driver.Committed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	// If the broker was away, the admin client's connection is dead and its coordinator unknown.
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	got, err := c.Admin().FetchOffsets(ctx, group)
	for err != nil && !errors.Is(err, kerr.GroupIDNotFound) && ctx.Err() == nil {
		<-again.C
		got, err = c.Admin().FetchOffsets(ctx, group)
	}
	if err == nil {
		err = got.Error()
	}
	none := driver.Committed{TopicPartition: p, Offset: -1, LeaderEpoch: -1}
	switch o, ok := got.Lookup(p.Topic, p.Partition); {
	case errors.Is(err, kerr.GroupIDNotFound):
		return none
	case err != nil:
		t.Fatalf("the commits of group %s: %v", group, err)
		return none
	case !ok || o.At < 0:
		return none
	default:
		return driver.Committed{TopicPartition: p, Offset: o.At, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata}
	}
}
