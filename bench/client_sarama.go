package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	watermillkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
)

// saramaConfig is sarama's default except for the start, the isolation level and a protocol version of this
// decade.
func saramaConfig() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.IsolationLevel = sarama.ReadCommitted
	return cfg
}

func saramaMarked(ctx context.Context, j job, m *meter) error {
	return saramaGroup(ctx, j, m, saramaConfig(), false)
}

func saramaHand(ctx context.Context, j job, m *meter) error {
	cfg := saramaConfig()
	cfg.Consumer.Offsets.AutoCommit.Enable = false
	return saramaGroup(ctx, j, m, cfg, true)
}

func saramaGroup(ctx context.Context, j job, m *meter, cfg *sarama.Config, commit bool) error {
	group, err := sarama.NewConsumerGroup(j.Bootstrap, j.Group, cfg)
	if err != nil {
		return err
	}
	defer group.Close() //nolint:errcheck // nothing to learn
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{j.Topic}, saramaClaims{m, j.Batch, commit}); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}

// saramaClaims collects a batch in each partition's claim, for at most as long as esm does: a claim ends with
// records that do not fill a batch.
type saramaClaims struct {
	m      *meter
	batch  int
	commit bool
}

func (saramaClaims) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (saramaClaims) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (s saramaClaims) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	batch := make([]*sarama.ConsumerMessage, 0, s.batch)
	window := time.NewTicker(500 * time.Millisecond)
	defer window.Stop()
	for {
		select {
		case msg, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			if batch = append(batch, msg); len(batch) < s.batch {
				continue
			}
		case <-window.C:
			if len(batch) == 0 {
				continue
			}
		case <-session.Context().Done():
			return nil
		}
		if err := handle(s.m, batch); err != nil {
			return err
		}
		session.MarkMessage(batch[len(batch)-1], "")
		if s.commit {
			session.Commit()
		}
		batch = batch[:0]
	}
}

// watermillAck is watermill's subscriber: it delivers one message per partition at a time, and the next one
// when that is acknowledged. It has no batches.
func watermillAck(ctx context.Context, j job, m *meter) error {
	sub, err := watermillkafka.NewSubscriber(watermillkafka.SubscriberConfig{
		Brokers:               j.Bootstrap,
		Unmarshaler:           watermillkafka.DefaultMarshaler{},
		ConsumerGroup:         j.Group,
		OverwriteSaramaConfig: saramaConfig(),
	}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	defer sub.Close() //nolint:errcheck // nothing to learn
	messages, err := sub.Subscribe(ctx, j.Topic)
	if err != nil {
		return err
	}
	for msg := range messages {
		m.add(1)
		msg.Ack()
	}
	return nil
}
