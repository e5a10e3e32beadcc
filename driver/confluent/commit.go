//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// Commit commits positions. librdkafka's call waits for as long as the coordinator is away: it retries a request that
// timed out before it was sent, without end. So the call runs in its own goroutine. When ctx ends first, the call
// continues and its outcome is unknown: it may still succeed. Close reports how many such calls there are.
func (c *consumer) Commit(ctx context.Context, commits []driver.Commit) error {
	if len(commits) == 0 {
		return nil
	}
	for i := range commits {
		if one := &commits[i]; one.Offset < 0 {
			return fmt.Errorf("confluent: cannot commit offset %d of %s: an offset is 0 or more", one.Offset, one.TopicPartition)
		}
	}
	commits = slices.Clone(commits) // the call may outlive Commit
	refused, err := background(ctx, c.commits, func() map[driver.TopicPartition]*driver.Error { return c.send(commits) })
	switch {
	case errors.Is(err, errClosed):
		return err
	case err != nil:
		return fmt.Errorf("confluent: the commit of %d partitions was not answered in time and may still be done: %w",
			len(commits), err)
	case len(refused) > 0:
		return &driver.CommitError{Partitions: refused}
	}
	return nil
}

// send commits what belongs to the current assignment, and returns what was refused.
func (c *consumer) send(commits []driver.Commit) map[driver.TopicPartition]*driver.Error {
	refused := make(map[driver.TopicPartition]*driver.Error)
	was, lives := c.Member().ID, *c.lives.Load()
	// librdkafka would commit without a member ID, which a broker accepts as long as the group is empty, or with the ID of
	// a membership that began after the assignment of these positions was lost.
	gone := was == "" || c.lost(was)
	offsets := make([]kafka.TopicPartition, 0, len(commits))
	for i := range commits {
		one := &commits[i]
		if life, owned := lives[one.TopicPartition]; gone || !owned || one.Assignment > 0 && one.Assignment != life {
			refused[one.TopicPartition] = classed(one.TopicPartition, errNotOwned)
			continue
		}
		offset := kafka.TopicPartition{Topic: &one.Topic, Partition: one.Partition, Offset: kafka.Offset(one.Offset)}
		if one.LeaderEpoch >= 0 {
			offset.LeaderEpoch = &one.LeaderEpoch
		}
		if one.Metadata != "" {
			offset.Metadata = &one.Metadata
		}
		offsets = append(offsets, offset)
	}
	if len(offsets) == 0 {
		return refused
	}
	committed, err := c.client.CommitOffsets(offsets)
	if err != nil {
		committed = offsets
	}
	for _, one := range committed {
		if err == nil && one.Error == nil {
			continue
		}
		tp := driver.TopicPartition{Topic: *one.Topic, Partition: one.Partition}
		if err != nil {
			refused[tp] = classed(tp, err)
		} else {
			refused[tp] = classed(tp, one.Error)
		}
	}
	return refused
}

// errNotOwned is the reason why a position is not sent.
var errNotOwned = kafka.NewError(kafka.ErrUnknownMemberID, "this member does not own the partition, or no longer as it did", false)

// background runs a librdkafka call that may outlive ctx. The gate keeps the handle alive until it returns.
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
