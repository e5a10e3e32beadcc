package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// partitioner puts a record into the partition of At, else into that of its key's hash, as Kafka's own clients do, else
// into the topic's partitions in turn, so that a test knows how many are where.
func partitioner() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		keyed, turn := byKey.ForTopic(topic), -1
		return func(r *kgo.Record, n int) int {
			if p, ok := r.Context.Value(partitionKey{}).(int32); ok {
				return int(p)
			}
			if r.Key != nil {
				return keyed.Partition(r, n)
			}
			turn++
			return turn % n
		}
	})
}

type partitionKey struct{}

// At makes [Client.Produce] put a record into this partition, whatever its key.
func At(partition int32, r *kgo.Record) *kgo.Record {
	if r.Context == nil {
		r.Context = context.Background()
	}
	r.Context = context.WithValue(r.Context, partitionKey{}, partition)
	return r
}

// Produce writes the records, in order, and returns when the broker has acknowledged all of them. Each then has its
// Partition and Offset. A record goes to the partition of [At], else to that of its key's hash; records without a key
// go to partitions 0, 1, 2 … in turn.
func (c *Client) Produce(tb testing.TB, records ...*kgo.Record) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*callTimeout)
	defer cancel()
	if err := c.kgo.ProduceSync(ctx, records...).FirstErr(); err != nil {
		tb.Fatalf("kafkatest: produce %d records: %v", len(records), err)
	}
}

// ProduceN writes the n records that record returns for 0 to n-1, without holding them all, and returns when all are
// acknowledged. It sets Topic in records that have none.
func (c *Client) ProduceN(tb testing.TB, topic string, n int, record func(i int) *kgo.Record) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*callTimeout)
	defer cancel()
	var first kgo.FirstErrPromise
	for i := range n {
		r := record(i)
		if r.Topic == "" {
			r.Topic = topic
		}
		c.kgo.Produce(ctx, r, first.Promise())
	}
	if err := first.Err(); err != nil {
		tb.Fatalf("kafkatest: produce %d records to %s: %v", n, topic, err)
	}
}

// Committed returns a group's committed offset of each partition of a topic that has one.
func (c *Client) Committed(tb testing.TB, group, topic string) map[int32]int64 {
	tb.Helper()
	offsets := map[int32]int64{}
	c.eventually(tb, "offsets of group "+group, func(ctx context.Context) error {
		got, err := c.adm.FetchOffsets(ctx, group)
		if err == nil {
			err = got.Error()
		}
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil // kfake answers this where Apache Kafka says "no offsets"
		}
		for p, o := range got[topic] {
			if o.At >= 0 {
				offsets[p] = o.At
			}
		}
		return err
	})
	return offsets
}

// Commit sets a group's committed offsets of a topic. The group must have no members.
func (c *Client) Commit(tb testing.TB, group, topic string, offsets map[int32]int64) {
	tb.Helper()
	var all kadm.Offsets
	for p, o := range offsets {
		all.AddOffset(topic, p, o, -1)
	}
	c.eventually(tb, "commit of group "+group, func(ctx context.Context) error {
		return c.adm.CommitAllOffsets(ctx, group, all)
	})
}

// EndOffsets returns the end of each partition of a topic: the offset of the next record.
func (c *Client) EndOffsets(tb testing.TB, topic string) map[int32]int64 {
	tb.Helper()
	return c.listOffsets(tb, topic, "end", c.adm.ListEndOffsets)
}

// StartOffsets returns the log start offset of each partition of a topic.
func (c *Client) StartOffsets(tb testing.TB, topic string) map[int32]int64 {
	tb.Helper()
	return c.listOffsets(tb, topic, "start", c.adm.ListStartOffsets)
}

func (c *Client) listOffsets(tb testing.TB, topic, which string, list func(context.Context, ...string) (kadm.ListedOffsets, error)) map[int32]int64 {
	tb.Helper()
	offsets := map[int32]int64{}
	c.eventually(tb, fmt.Sprintf("%s offsets of %s", which, topic), func(ctx context.Context) error {
		got, err := list(ctx, topic)
		if err == nil {
			err = got.Error()
		}
		if err != nil {
			return err
		}
		for p, o := range got[topic] {
			offsets[p] = o.Offset
		}
		return nil
	})
	return offsets
}

// DeleteRecords moves the log start offset of partitions up to the given offsets, as retention does.
func (c *Client) DeleteRecords(tb testing.TB, topic string, before map[int32]int64) {
	tb.Helper()
	var offsets kadm.Offsets
	for p, o := range before {
		offsets.AddOffset(topic, p, o, -1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	got, err := c.adm.DeleteRecords(ctx, offsets)
	if err == nil {
		err = got.Error()
	}
	if err != nil {
		tb.Fatalf("kafkatest: delete records of %s before %v: %v", topic, before, err)
	}
}

// Survivors returns the offsets of the records that a topic's first partition still holds; the last record must be one
// of them. gap reports whether any record is missing.
func (c *Client) Survivors(t testing.TB, topic string) (offsets []int64, gap bool) {
	t.Helper()
	end := c.EndOffsets(t, topic)[0]
	cl := c.Connect(t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for len(offsets) == 0 || offsets[len(offsets)-1] < end-1 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { offsets = append(offsets, r.Offset) })
	}
	return offsets, int64(len(offsets)) < end
}
