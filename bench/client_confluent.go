package main

import (
	"context"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// confluentConfig is what the esm driver sets for its default of 64 MiB, so that esm is the only difference
// between the loops.
func confluentConfig(j job) *kafka.ConfigMap {
	return &kafka.ConfigMap{
		"bootstrap.servers":             strings.Join(j.Bootstrap, ","),
		"group.id":                      j.Group,
		"auto.offset.reset":             "earliest",
		"enable.auto.commit":            false,
		"enable.auto.offset.store":      false,
		"enable.partition.eof":          true,
		"isolation.level":               "read_committed",
		"partition.assignment.strategy": "cooperative-sticky",
		"queued.min.messages":           (32 << 20) / 256,
		"queued.max.messages.kbytes":    32 << 10,
		"fetch.queue.backoff.ms":        2,
		"fetch.max.bytes":               8 << 20,
		"max.partition.fetch.bytes":     1 << 20,
		"fetch.min.bytes":               1,
		"fetch.wait.max.ms":             500,
	}
}

func confluentClient(j job) (*kafka.Consumer, error) {
	c, err := kafka.NewConsumer(confluentConfig(j))
	if err != nil {
		return nil, err
	}
	return c, c.SubscribeTopics([]string{j.Topic}, nil)
}

// confluentBare polls and looks at each record, and does nothing else.
func confluentBare(ctx context.Context, j job, m *meter) error {
	c, err := confluentClient(j)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing to learn
	bytes, n := 0, 0
	for ctx.Err() == nil {
		switch ev := c.Poll(100).(type) {
		case *kafka.Message:
			bytes += len(ev.Value)
			if n++; n == 1000 {
				m.add(n)
				n = 0
			}
		case nil:
			m.add(n)
			n = 0
		}
	}
	keep(bytes)
	return nil
}

// confluentHand is the usual hand-written loop: collect a batch, handle it, commit it.
func confluentHand(ctx context.Context, j job, m *meter) error {
	c, err := confluentClient(j)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing to learn
	batch := make([]*kafka.Message, 0, j.Batch)
	next := map[int32]kafka.TopicPartition{}
	for ctx.Err() == nil {
		msg, ok := c.Poll(100).(*kafka.Message)
		if !ok {
			continue
		}
		if batch = append(batch, msg); len(batch) < j.Batch {
			continue
		}
		if err := handle(m, batch); err != nil {
			return err
		}
		clear(next)
		for _, msg := range batch {
			tp := msg.TopicPartition
			tp.Offset++
			next[tp.Partition] = tp
		}
		offsets := make([]kafka.TopicPartition, 0, len(next))
		for _, tp := range next {
			offsets = append(offsets, tp)
		}
		if _, err := c.CommitOffsets(offsets); err != nil && ctx.Err() == nil {
			return err
		}
		batch = batch[:0]
	}
	return nil
}
