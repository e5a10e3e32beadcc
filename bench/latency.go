package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/confluent"
	"github.com/esm-go/esm/driver/franz"
)

// arrivals holds the times at which a reader saw each record, by the record's number.
type arrivals struct {
	mu   sync.Mutex
	at   map[uint64]time.Time
	seen chan uint64
}

func newArrivals() *arrivals {
	return &arrivals{at: map[uint64]time.Time{}, seen: make(chan uint64, 1024)}
}

func (a *arrivals) note(value []byte) {
	t := time.Now()
	n := binary.BigEndian.Uint64(value)
	a.mu.Lock()
	a.at[n] = t
	a.mu.Unlock()
	a.seen <- n
}

// wait waits until record n has been seen.
func (a *arrivals) wait(ctx context.Context, n uint64) error {
	for {
		select {
		case got := <-a.seen:
			if got == n {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// latencyFigures sends one record at a time to an idle topic that a bare loop and esm read in the same
// process, and compares when each saw it.
func latencyFigures(ctx context.Context, bootstrap []string, records int, gap time.Duration) error {
	b, err := openKafka(bootstrap)
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("\none record at a time on an idle topic, %d of them, %v apart, MaximumBatchingWindowInSeconds 0, on %s\n\n", records, gap, b.name)
	fmt.Println("| driver | handler called after the bare loop's receipt: median ms | p99 ms | most ms | produced to handled: median ms | p99 ms |\n| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, one := range []struct {
		name string
		d    driver.Driver
		bare func(context.Context, job, *arrivals) error
	}{{"franz", franz.Driver(), franzArrivals}, {"confluent", confluent.Driver(), confluentArrivals}} {
		topic := "esm-bench-latency-" + groupName()
		if err := b.topic(ctx, topic, 1, 0, 0); err != nil {
			return err
		}
		after, whole, err := latency(ctx, b, topic, one.d, one.bare, records, gap)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		fmt.Printf("| %s | %.2f | %.2f | %.2f | %.2f | %.2f |\n", one.name, median(after), quantile(after, 0.99), quantile(after, 1), median(whole), quantile(whole, 0.99))
	}
	return nil
}

func latency(ctx context.Context, b *broker, topic string, d driver.Driver, bare func(context.Context, job, *arrivals) error, records int, gap time.Duration) (after, whole []float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+time.Duration(records)*(gap+100*time.Millisecond))
	defer cancel()
	var readers sync.WaitGroup
	defer readers.Wait()
	stop, end := context.WithCancel(ctx)
	defer end()
	ours, theirs := newArrivals(), newArrivals()
	failed := make(chan error, 2)
	readers.Go(func() {
		failed <- bare(stop, job{Bootstrap: b.bootstrap, Topic: topic, Group: groupName()}, theirs)
	})
	readers.Go(func() {
		m := mapping(job{Bootstrap: b.bootstrap, Topic: topic, Group: groupName(), Batch: 100})
		m.MaximumBatchingWindowInSeconds = new(int)
		failed <- esm.Run(stop, m, func(_ context.Context, e esm.KafkaEvent) error {
			for _, list := range e.Records {
				for i := range list {
					ours.note(list[i].Value)
				}
			}
			return nil
		}, esm.WithDriver(d), esm.WithLogger(slog.New(slog.DiscardHandler)))
	})
	sent := make([]time.Time, records)
	const warm = 20
	for i := range records {
		value := binary.BigEndian.AppendUint64(nil, uint64(i))
		sent[i] = time.Now()
		if err := b.client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
			return nil, nil, err
		}
		for _, a := range []*arrivals{ours, theirs} {
			if err := a.wait(ctx, uint64(i)); err != nil {
				return nil, nil, err
			}
		}
		time.Sleep(gap)
	}
	for i := warm; i < records; i++ {
		after = append(after, ours.at[uint64(i)].Sub(theirs.at[uint64(i)]).Seconds()*1e3)
		whole = append(whole, ours.at[uint64(i)].Sub(sent[i]).Seconds()*1e3)
	}
	end()
	return after, whole, nil
}

func franzArrivals(ctx context.Context, j job, a *arrivals) error {
	cl, err := kgo.NewClient(franzOpts(j)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { a.note(r.Value) })
	}
	return nil
}

func confluentArrivals(ctx context.Context, j job, a *arrivals) error {
	c, err := confluentClient(j)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing to learn
	for ctx.Err() == nil {
		if msg, ok := c.Poll(100).(*kafka.Message); ok {
			a.note(msg.Value)
		}
	}
	return nil
}
