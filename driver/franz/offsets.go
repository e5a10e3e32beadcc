package franz

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// ListOffsets looks offsets up at the partitions' leaders. A request can name a partition only once, so several queries
// for one partition take several rounds, with one request per broker and round.
func (c *consumer) ListOffsets(ctx context.Context, queries []driver.OffsetQuery) ([]driver.OffsetAnswer, error) {
	answers := make([]driver.OffsetAnswer, len(queries))
	todo := make([]int, len(queries))
	for i, q := range queries {
		todo[i] = i
		answers[i] = driver.OffsetAnswer{TopicPartition: q.TopicPartition, At: q.At, Offset: -1, LeaderEpoch: -1}
	}
	var atEnd []int // queries for a time after the last record
	for len(todo) > 0 {
		round := map[driver.TopicPartition]int{}
		var later []int
		for _, i := range todo {
			if _, taken := round[queries[i].TopicPartition]; taken {
				later = append(later, i)
				continue
			}
			round[queries[i].TopicPartition] = i
		}
		none, err := c.listRound(ctx, queries, round, answers, false)
		if err != nil {
			return nil, err
		}
		atEnd, todo = append(atEnd, none...), later
	}
	for len(atEnd) > 0 {
		round := map[driver.TopicPartition]int{}
		var later []int
		for _, i := range atEnd {
			if _, taken := round[queries[i].TopicPartition]; taken {
				later = append(later, i)
				continue
			}
			round[queries[i].TopicPartition] = i
		}
		if _, err := c.listRound(ctx, queries, round, answers, true); err != nil {
			return nil, err
		}
		atEnd = later
	}
	return answers, nil
}

// listRound asks one query per partition and fills in the answers; it returns the queries that found no record.
func (c *consumer) listRound(
	ctx context.Context, queries []driver.OffsetQuery, round map[driver.TopicPartition]int, answers []driver.OffsetAnswer, end bool,
) (none []int, err error) {
	topics := map[string]*kmsg.ListOffsetsRequestTopic{}
	for tp, i := range round {
		t := topics[tp.Topic]
		if t == nil {
			n := kmsg.NewListOffsetsRequestTopic()
			n.Topic = tp.Topic
			t = &n
			topics[tp.Topic] = t
		}
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition = tp.Partition
		p.Timestamp = int64(queries[i].At)
		if end {
			p.Timestamp = int64(driver.AtEnd)
		}
		t.Partitions = append(t.Partitions, p)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if !c.cfg.ReadUncommitted {
		req.IsolationLevel = 1
	}
	for _, t := range topics {
		req.Topics = append(req.Topics, *t)
	}

	fail := func(tp driver.TopicPartition, err error) {
		if i, ok := round[tp]; ok {
			e := c.classify(err)
			e.TopicPartition = tp
			answers[i].Err = e
			delete(round, tp)
		}
	}
	shards, err := call(ctx, c, func() ([]kgo.ResponseShard, error) {
		shards := c.control.RequestSharded(ctx, req)
		if c.life.Err() != nil {
			return nil, ErrClosed
		}
		return shards, ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	for _, shard := range shards {
		if shard.Err != nil {
			asked, ok := shard.Req.(*kmsg.ListOffsetsRequest)
			if !ok {
				return nil, fmt.Errorf("list offsets: %w", c.classify(shard.Err))
			}
			for _, t := range asked.Topics {
				for _, p := range t.Partitions {
					fail(driver.TopicPartition{Topic: t.Topic, Partition: p.Partition}, shard.Err)
				}
			}
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				tp := driver.TopicPartition{Topic: t.Topic, Partition: p.Partition}
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					fail(tp, err)
					continue
				}
				i, ok := round[tp]
				if !ok {
					continue
				}
				delete(round, tp)
				offset := p.Offset
				if len(p.OldStyleOffsets) > 0 {
					offset = p.OldStyleOffsets[0]
				}
				if offset < 0 {
					none = append(none, i)
					continue
				}
				answers[i].Offset, answers[i].LeaderEpoch = offset, p.LeaderEpoch
			}
		}
	}
	for tp := range round {
		fail(tp, errors.New("no broker answered for the partition"))
	}
	return none, nil
}
