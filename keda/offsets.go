package keda

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka's special timestamps for ListOffsets.
const (
	atEnd      = -1
	atEarliest = -2
)

// ends fills in the ends of the logs: the last stable offset under read_committed.
func (r *reader) ends(ctx context.Context, out *reading) error {
	ends, err := r.list(ctx, out, atEnd, nil)
	if err != nil {
		return fmt.Errorf("look up the ends of the partitions: %w", err)
	}
	for i := range out.partitions {
		p := &out.partitions[i]
		answer, ok := ends[p.topicPartition]
		if !ok {
			answer.err = errUnanswered
		}
		p.end = answer.offset
		if p.err == nil {
			p.err = answer.err
		}
	}
	return nil
}

// origins fills in the starts of the logs.
func (r *reader) origins(ctx context.Context, out *reading) error {
	due := out.at.Sub(r.startsAt) >= startsEvery
	for i := range out.partitions {
		p := &out.partitions[i]
		_, known := r.starts[p.topicPartition]
		due = due || p.err == nil && (!known || r.ids[p.topic] != p.id)
	}
	if due {
		if err := r.lookUpOrigins(ctx, out); err != nil {
			return err
		}
	}
	for i := range out.partitions {
		p := &out.partitions[i]
		known := r.starts[p.topicPartition]
		p.earliest, p.start = known.earliest, known.earliest
		if p.unplaced {
			p.start = p.end
			if r.cfg.startingPosition == atTimestamp && known.start >= 0 {
				p.start = max(known.start, known.earliest)
			}
		}
	}
	return nil
}

func (r *reader) lookUpOrigins(ctx context.Context, out *reading) error {
	earliest, err := r.list(ctx, out, atEarliest, nil)
	if err != nil {
		return fmt.Errorf("look up the beginnings of the partitions: %w", err)
	}
	var timed map[topicPartition]listed
	if r.cfg.startingPosition == atTimestamp {
		unplaced := func(p *position) bool { return p.unplaced }
		if timed, err = r.list(ctx, out, r.cfg.startTimestamp.UnixMilli(), unplaced); err != nil {
			return fmt.Errorf("look up the offsets at startingPositionTimestamp: %w", err)
		}
	}
	starts := make(map[topicPartition]origin, len(out.partitions))
	for i := range out.partitions {
		p := &out.partitions[i]
		first, ok := earliest[p.topicPartition]
		if !ok || first.err != nil {
			p.err = cmp.Or(p.err, first.err, errUnanswered)
			continue
		}
		o := origin{earliest: first.offset, start: -1}
		if at, ok := timed[p.topicPartition]; ok && at.err == nil {
			o.start = at.offset // -1: no record is at or after that time
		}
		starts[p.topicPartition] = o
	}
	r.starts, r.startsAt = starts, out.at
	return nil
}

// listed is the result for one partition.
type listed struct {
	offset int64
	err    error
}

// errUnanswered is the error of a partition for which no broker answered.
var errUnanswered = errors.New("no broker answered for the partition")

// list sends one batched request per broker. The results hold the errors of single partitions; list returns
// an error only if all of them fail.
func (r *reader) list(ctx context.Context, out *reading, timestamp int64, which func(*position) bool) (map[topicPartition]listed, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if !r.cfg.readUncommitted {
		req.IsolationLevel = 1
	}
	asked := 0
	for i := range out.partitions {
		p := &out.partitions[i]
		if which != nil && !which(p) {
			continue
		}
		asked++
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.topic { // they are sorted
			topic := kmsg.NewListOffsetsRequestTopic()
			topic.Topic = p.topic
			req.Topics = append(req.Topics, topic)
		}
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = p.partition, timestamp
		topic := &req.Topics[len(req.Topics)-1]
		topic.Partitions = append(topic.Partitions, partition)
	}
	answers := make(map[topicPartition]listed, asked)
	if asked == 0 {
		return answers, nil
	}
	good := false
	var failure error
	for _, shard := range r.client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			failure = shard.Err
			continue
		}
		for _, topic := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range topic.Partitions {
				answer := listed{offset: p.Offset, err: kerr.ErrorForCode(p.ErrorCode)}
				if len(p.OldStyleOffsets) > 0 {
					answer.offset = p.OldStyleOffsets[0]
				}
				if answer.err != nil {
					failure = answer.err
				}
				good = good || answer.err == nil
				answers[topicPartition{topic.Topic, p.Partition}] = answer
			}
		}
	}
	if !good {
		if failure == nil {
			failure = errUnanswered
		}
		return nil, failure
	}
	return answers, nil
}
