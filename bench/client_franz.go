package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// franzOpts are the options that the esm driver sets, so that esm is the only difference between the loops.
func franzOpts(j job) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(j.Bootstrap...),
		kgo.ConsumerGroup(j.Group),
		kgo.ConsumeTopics(j.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(8 << 20),
		kgo.FetchMaxPartitionBytes(1 << 20),
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.FetchMinBytes(1),
		kgo.MetadataMaxAge(time.Minute),
		kgo.DisableClientMetrics(),
	}
}

// franzBare polls and looks at each record, and does nothing else.
func franzBare(ctx context.Context, j job, m *meter) error {
	cl, err := kgo.NewClient(franzOpts(j)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var bytes int
	for ctx.Err() == nil {
		n := 0
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			bytes += len(r.Value)
			n++
		})
		m.add(n)
	}
	keep(bytes)
	return nil
}

// franzHand is the usual hand-written loop: collect a batch, handle it, commit it.
func franzHand(ctx context.Context, j job, m *meter) error {
	cl, err := kgo.NewClient(franzOpts(j)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	batch := make([]*kgo.Record, 0, j.Batch)
	for ctx.Err() == nil {
		batch = append(batch, cl.PollRecords(ctx, j.Batch-len(batch)).Records()...)
		if len(batch) < j.Batch {
			continue
		}
		if err := handle(m, batch); err != nil {
			return err
		}
		if err := cl.CommitRecords(ctx, batch...); err != nil && ctx.Err() == nil {
			return err
		}
		batch = batch[:0]
	}
	return nil
}

// handle is the handler of the hand-written loops: it does as little as esm's.
//
//go:noinline
func handle[T any](m *meter, batch []T) error {
	m.add(len(batch))
	return nil
}

//go:noinline
func keep(int) {}
