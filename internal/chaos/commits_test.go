package chaos

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/internal/kafkatest"
)

// commit is a position in the brokers' log of commits.
type commit struct {
	at     int64 // Unix milliseconds, the broker's
	offset int64
}

// commits reads what a group committed for a topic, by partition and in order, from __consumer_offsets.
func commits(t testing.TB, c *kafkatest.Cluster, group, topic string) map[int32][]commit {
	t.Helper()
	got := map[int32][]commit{}
	scan(t, c, "__consumer_offsets", false, func(r *kgo.Record) {
		var key kmsg.OffsetCommitKey
		if len(r.Value) == 0 || len(r.Key) < 2 || r.Key[0] != 0 || r.Key[1] > 1 {
			return // a tombstone, or the group's own metadata
		}
		var value kmsg.OffsetCommitValue
		if key.ReadFrom(r.Key) != nil || value.ReadFrom(r.Value) != nil || key.Group != group || key.Topic != topic {
			return
		}
		got[key.Partition] = append(got[key.Partition], commit{value.CommitTimestamp, value.Offset})
	})
	return got
}

// held reads the committed records of a topic: the offsets of each partition, in order.
func held(t testing.TB, c *kafkatest.Cluster, topic string) map[int32][]int64 {
	t.Helper()
	got := map[int32][]int64{}
	scan(t, c, topic, true, func(r *kgo.Record) { got[r.Partition] = append(got[r.Partition], r.Offset) })
	return got
}

// scan reads a topic from its beginning to its current end.
func scan(t testing.TB, c *kafkatest.Cluster, topic string, committed bool, each func(*kgo.Record)) {
	t.Helper()
	ends, left := c.EndOffsets(t, topic), 0
	from := map[int32]kgo.Offset{}
	for p, start := range c.StartOffsets(t, topic) {
		if ends[p] > start {
			from[p] = kgo.NewOffset().At(start)
			left++
		}
	}
	if left == 0 {
		return
	}
	isolation := kgo.ReadUncommitted()
	if committed {
		isolation = kgo.ReadCommitted()
	}
	// Markers show where the end is of a partition whose last record is a marker.
	client := c.Connect(t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords())
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				each(r)
			}
			if r.Offset == ends[r.Partition]-1 {
				left--
			}
		})
	}
	client.Close()
}
