//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// Commit commits positions. librdkafka's call waits for as long as the coordinator is away (a request that timed out
// before it was sent is tried again without end), so that
// it runs in a goroutine of its own. When ctx ends first, the call is left to itself and its outcome is not known: it may
// still arrive. Close says how many there are.
func (c *consumer) Commit(ctx context.Context, commits []driver.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	offsets := make([]kafka.TopicPartition, len(commits))
	for i := range commits {
		one := &commits[i]
		if one.Offset < 0 {
			return fmt.Errorf("confluent: cannot commit offset %d of %s: an offset is 0 or more", one.Offset, one.TopicPartition)
		}
		topic := one.Topic
		offsets[i] = kafka.TopicPartition{Topic: &topic, Partition: one.Partition, Offset: kafka.Offset(one.Offset)}
		if one.LeaderEpoch >= 0 {
			epoch := one.LeaderEpoch
			offsets[i].LeaderEpoch = &epoch
		}
		if one.Metadata != "" {
			metadata := one.Metadata
			offsets[i].Metadata = &metadata
		}
	}
	type outcome struct {
		offsets []kafka.TopicPartition
		err     error
	}
	result, err := background(ctx, c.commits, func() outcome {
		if was := c.Member().ID; was == "" || c.client.AssignmentLost() || !c.stillMember(was) {
			// librdkafka would commit without a member id, which a broker takes as long as the group is empty, or with that
			// of a life that began after the assignment that the positions belong to was lost.
			return outcome{err: kafka.NewError(kafka.ErrUnknownMemberID, "this member is not, or no longer, in the group", false)}
		}
		committed, err := c.client.CommitOffsets(offsets)
		return outcome{committed, err}
	})
	switch {
	case errors.Is(err, errClosed):
		return err
	case err != nil:
		return fmt.Errorf("confluent: the commit of %d partitions was not answered in time and may still be done: %w",
			len(commits), err)
	}
	return commitError(commits, result.offsets, result.err)
}

// stillMember reports whether librdkafka has the member id yet that the assignment came with.
func (c *consumer) stillMember(was string) bool {
	now, _ := memberOf(c.client)
	return now == was
}

// commitError makes one error of what librdkafka says of the whole commit and of each partition.
func commitError(commits []driver.Commit, committed []kafka.TopicPartition, err error) error {
	refused := make(map[driver.TopicPartition]*driver.Error)
	if err != nil {
		for _, one := range commits {
			refused[one.TopicPartition] = classed(one.TopicPartition, err)
		}
	}
	for _, one := range committed {
		if one.Error != nil {
			tp := driver.TopicPartition{Topic: *one.Topic, Partition: one.Partition}
			refused[tp] = classed(tp, one.Error)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return &driver.CommitError{Partitions: refused}
}

// background runs a call of librdkafka's that may outlast ctx. The gate keeps the handle alive until it is done.
func background[T any](ctx context.Context, g *gate, call func() T) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	if !g.enter() {
		return none, errClosed
	}
	result := make(chan T, 1)
	go func() {
		defer g.leave()
		result <- call()
	}()
	select {
	case answer := <-result:
		return answer, nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
