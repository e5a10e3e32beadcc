//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// requestTimeout bounds one request to the broker if the context ends later or never.
const requestTimeout = 30 * time.Second

// timeLeft is the timeout that librdkafka gets for one request: a little more than the context's, so that the caller
// sees the context's error when it ends.
func timeLeft(ctx context.Context) time.Duration {
	const grace = time.Second
	left := requestTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	return max(left, 0) + grace
}

// requestError returns the error of a request under the limited context, or the caller's context's own if that ended.
func requestError(ctx, limited context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: fmt.Errorf("no answer within %v", requestTimeout)}
	}
	return wrapped(err)
}

// Committed returns the group's commits. Under read_committed it waits for open transactions that commit offsets.
func (c *consumer) Committed(ctx context.Context, partitions []driver.TopicPartition) ([]driver.Committed, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	asked := make([]kafka.TopicPartition, len(partitions))
	for i := range partitions {
		topic := partitions[i].Topic
		asked[i] = kafka.TopicPartition{Topic: &topic, Partition: partitions[i].Partition}
	}
	type outcome struct {
		offsets []kafka.TopicPartition
		err     error
	}
	result, err := background(ctx, c.gate, func() outcome {
		offsets, err := c.client.Committed(asked, int(timeLeft(ctx).Milliseconds()))
		return outcome{offsets, err}
	})
	if err == nil {
		err = result.err
	}
	if err != nil {
		return nil, fmt.Errorf("confluent: the committed offsets of group %q: %w", c.group, wrapped(err))
	}
	byPartition := make(map[driver.TopicPartition]kafka.TopicPartition, len(result.offsets))
	for _, one := range result.offsets {
		byPartition[driver.TopicPartition{Topic: *one.Topic, Partition: one.Partition}] = one
	}
	list := make([]driver.Committed, len(partitions))
	for i, tp := range partitions {
		list[i] = committed(tp, byPartition)
	}
	return list, nil
}

func committed(tp driver.TopicPartition, answers map[driver.TopicPartition]kafka.TopicPartition) driver.Committed {
	answer := driver.Committed{TopicPartition: tp, Offset: -1, LeaderEpoch: -1}
	one, ok := answers[tp]
	switch {
	case !ok:
		answer.Err = &driver.Error{Kind: driver.KindOther, TopicPartition: tp, Offset: -1, Err: errors.New("the broker did not answer")}
	case one.Error != nil:
		answer.Err = classed(tp, one.Error)
	case one.Offset >= 0:
		answer.Offset = int64(one.Offset)
		if one.LeaderEpoch != nil {
			answer.LeaderEpoch = *one.LeaderEpoch
		}
		if one.Metadata != nil {
			answer.Metadata = *one.Metadata
		}
	}
	return answer
}

// wrapped puts a client error into a driver.Error and returns a context's error unchanged.
func wrapped(err error) error {
	if e, ok := err.(kafka.Error); ok { //nolint:errorlint // librdkafka's own, as the call returned it
		return classed(driver.TopicPartition{}, e)
	}
	return err
}

// ListOffsets sends one request per broker for up to a thousand partitions, whatever the queries ask for. It sends a
// second one for the end of those partitions that have no record at or after a time.
func (c *consumer) ListOffsets(ctx context.Context, queries []driver.OffsetQuery) ([]driver.OffsetAnswer, error) {
	if len(queries) == 0 {
		return nil, nil
	}
	if !c.gate.enter() {
		return nil, errClosed
	}
	defer c.gate.leave()
	isolation := kafka.IsolationLevelReadUncommitted
	if c.readCommitted {
		isolation = kafka.IsolationLevelReadCommitted
	}
	answers, err := c.lookUp(ctx, queries, isolation)
	if err != nil {
		return nil, err
	}
	var past []driver.OffsetQuery
	var where []int
	for i, a := range answers {
		if a.Err == nil && a.At >= 0 && a.Offset < 0 {
			past = append(past, driver.OffsetQuery{TopicPartition: a.TopicPartition, At: driver.AtEnd})
			where = append(where, i)
		}
	}
	if len(past) == 0 {
		return answers, nil
	}
	ends, err := c.lookUp(ctx, past, isolation)
	if err != nil {
		return nil, err
	}
	for i, end := range ends {
		end.At = answers[where[i]].At
		answers[where[i]] = end
	}
	return answers, nil
}

// lookUpPortion is how many partitions librdkafka is asked about at once: its own work grows faster than their number,
// and took a third of a second of one core for 10,000.
const lookUpPortion = 1000

// lookUp asks the brokers. The caller is inside the gate.
func (c *consumer) lookUp(ctx context.Context, queries []driver.OffsetQuery, isolation kafka.IsolationLevel) ([]driver.OffsetAnswer, error) {
	answers := make([]driver.OffsetAnswer, len(queries))
	// A request can name a partition only once: the n-th query for it goes into the n-th round.
	var rounds [][]int
	seen := make(map[driver.TopicPartition]int, len(queries))
	for i, q := range queries {
		n := seen[q.TopicPartition]
		seen[q.TopicPartition]++
		if n == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], i)
		answers[i] = driver.OffsetAnswer{TopicPartition: q.TopicPartition, At: q.At, Offset: -1, LeaderEpoch: -1}
	}
	for _, round := range rounds {
		for portion := range slices.Chunk(round, lookUpPortion) {
			if err := c.lookUpRound(ctx, queries, portion, isolation, answers); err != nil {
				return nil, fmt.Errorf("confluent: looking up %d offsets: %w", len(queries), wrapped(err))
			}
		}
	}
	return answers, nil
}

func (c *consumer) lookUpRound(ctx context.Context, queries []driver.OffsetQuery, round []int, isolation kafka.IsolationLevel,
	answers []driver.OffsetAnswer,
) error {
	specs := make(map[kafka.TopicPartition]kafka.OffsetSpec, len(round))
	index := make(map[driver.TopicPartition]int, len(round))
	for _, i := range round {
		topic := queries[i].Topic
		specs[kafka.TopicPartition{Topic: &topic, Partition: queries[i].Partition}] = offsetSpec(queries[i].At)
		index[queries[i].TopicPartition] = i
		answers[i].Err = &driver.Error{Kind: driver.KindOther, TopicPartition: queries[i].TopicPartition, Offset: -1,
			Err: errors.New("the broker did not answer")}
	}
	limited, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	result, err := c.admin.ListOffsets(limited, specs,
		kafka.SetAdminIsolationLevel(isolation), kafka.SetAdminRequestTimeout(timeLeft(limited)))
	if err != nil {
		return requestError(ctx, limited, err)
	}
	for tp, info := range result.ResultInfos {
		i, ok := index[driver.TopicPartition{Topic: *tp.Topic, Partition: tp.Partition}]
		if !ok {
			continue
		}
		answers[i].Err = nil
		if info.Error.Code() != kafka.ErrNoError {
			answers[i].Err = classed(answers[i].TopicPartition, info.Error)
			continue
		}
		answers[i].Offset = int64(info.Offset)
		if info.LeaderEpoch != nil {
			answers[i].LeaderEpoch = *info.LeaderEpoch
		}
	}
	return nil
}

func offsetSpec(at driver.OffsetAt) kafka.OffsetSpec {
	switch at {
	case driver.AtEarliest:
		return kafka.EarliestOffsetSpec
	case driver.AtEnd:
		return kafka.LatestOffsetSpec
	}
	return kafka.NewOffsetSpecForTimestamp(min(int64(at), math.MaxInt64))
}
