package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/confluent"
	"github.com/esm-go/esm/driver/franz"
)

// filterFigures makes a group read orders, of which one in a hundred matches, with and without
// FilterCriteria, until the group's commits have reached the end.
func filterFigures(ctx context.Context, bootstrap []string, records int64, values []int, repeat int) error {
	b, err := openKafka(bootstrap)
	if err != nil {
		return err
	}
	defer b.close()
	const partitions = 8
	fmt.Printf("\n%d orders of which 1 in 100 matches, %d partitions, BatchSize 1000, until all is committed, on %s, medians of %d\n\n", records, partitions, b.name, repeat)
	fmt.Println("| values | driver | unfiltered: records/s | filtered | ratio | CPU ns a record: unfiltered | filtered | delivered |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, size := range values {
		topic := fmt.Sprintf("esm-bench-orders-%d", size)
		if err := b.topic(ctx, topic, partitions, size, 0); err != nil {
			return err
		}
		if err := b.orders(ctx, topic, partitions, size, records); err != nil {
			return err
		}
		for _, d := range []driver.Driver{franz.Driver(), confluent.Driver()} {
			var rate, cpu [2][]float64
			delivered := int64(0)
			for range repeat {
				for i, filters := range []*esm.FilterCriteria{nil, {Filters: []esm.Filter{{Pattern: `{"value":{"tier":["vip"]}}`}}}} {
					m := mapping(job{Bootstrap: b.bootstrap, Topic: topic, Group: groupName(), Batch: 1000})
					m.FilterCriteria = filters
					took, used, n, err := readAll(ctx, m, d, records, nil)
					if err != nil {
						return err
					}
					rate[i] = append(rate[i], float64(records)/took.Seconds())
					cpu[i] = append(cpu[i], used.Seconds()*1e9/float64(records))
					delivered = n
				}
			}
			plain, filtered := median(rate[0]), median(rate[1])
			fmt.Printf("| %s | %s | %s | %s | %.2f | %.0f | %.0f | %d |\n", sizeName(size), d.Name(), millions(plain), millions(filtered),
				filtered/plain, median(cpu[0]), median(cpu[1]), delivered)
		}
	}
	return nil
}

// orders fills a topic with JSON objects of about that size.
func (b *broker) orders(ctx context.Context, topic string, partitions, size int, records int64) error {
	if _, err := b.count(ctx, topic, partitions); err != nil {
		return err
	}
	var first kgo.FirstErrPromise
	for i := range records {
		tier := "plain"
		if i%100 == 0 {
			tier = "vip"
		}
		value := fmt.Appendf(nil, `{"id":%d,"customer":{"name":"Ada","city":"London"},"tier":%q,"note":"`, i, tier)
		value = append(value, strings.Repeat("x", max(size-len(value)-2, 0))+`"}`...)
		b.client.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(i/100) % int32(partitions), Value: value}, first.Promise())
	}
	return first.Err()
}

// stuckAfter is how long readAll waits for a commit.
const stuckAfter = time.Minute

// readAll reads a topic from its beginning until the group has committed all of it. The time starts when the
// mapping is ready.
func readAll(ctx context.Context, m esm.Mapping, d driver.Driver, records int64, options []esm.Option, observed ...observer) (took, used time.Duration, delivered int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handler := func(context.Context, esm.KafkaEvent) error { return nil }
	runner, err := esm.New(m, handler, append(options, esm.WithDriver(d), esm.WithLogger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		return 0, 0, 0, err
	}
	for _, o := range observed {
		stop, e := o(runner)
		if e != nil {
			return 0, 0, 0, e
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	early := func(err error) error {
		return fmt.Errorf("the mapping ended when %d of %d offsets were committed: %w", runner.Metrics().CommittedEventCount, records, errors.Join(err, context.Cause(ctx)))
	}
	select {
	case <-runner.Ready():
	case err := <-ended:
		return 0, 0, 0, early(err)
	}
	begin := now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	stuck := time.NewTimer(stuckAfter)
	defer stuck.Stop()
	for committed := int64(0); ; {
		n := runner.Metrics().CommittedEventCount
		if n >= records {
			break
		}
		if n > committed {
			committed = n
			stuck.Reset(stuckAfter)
		}
		select {
		case <-tick.C:
		case <-stuck.C:
			status := runner.Status()
			cancel()
			return 0, 0, 0, errors.Join(fmt.Errorf("%d of %d offsets are committed, and no more for %v:\n%s", n, records, stuckAfter, status), <-ended)
		case err := <-ended:
			return 0, 0, 0, early(err)
		}
	}
	end := now()
	delivered = runner.Metrics().InvokedEventCount
	cancel()
	return end.at.Sub(begin.at), end.cpu - begin.cpu, delivered, <-ended
}
