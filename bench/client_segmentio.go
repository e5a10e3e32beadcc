package main

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
)

func segmentioInterval(ctx context.Context, j job, m *meter) error {
	return segmentioReader(ctx, j, m, time.Second)
}

func segmentioHand(ctx context.Context, j job, m *meter) error { return segmentioReader(ctx, j, m, 0) }

// segmentioReader collects a batch, handles it, and commits: at once if interval is 0, otherwise in the
// background. The byte limits are those of the reader's own documentation.
func segmentioReader(ctx context.Context, j job, m *meter, interval time.Duration) error {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers:        j.Bootstrap,
		GroupID:        j.Group,
		Topic:          j.Topic,
		StartOffset:    kafka.FirstOffset,
		IsolationLevel: kafka.ReadCommitted,
		MinBytes:       1,
		MaxBytes:       10e6,
		MaxWait:        500 * time.Millisecond,
		CommitInterval: interval,
	})
	defer r.Close() //nolint:errcheck // nothing to learn
	batch := make([]kafka.Message, 0, j.Batch)
	for {
		msg, err := r.FetchMessage(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if batch = append(batch, msg); len(batch) < j.Batch {
			continue
		}
		if err := handle(m, batch); err != nil {
			return err
		}
		if err := r.CommitMessages(ctx, batch...); err != nil && ctx.Err() == nil {
			return err
		}
		batch = batch[:0]
	}
}
