// Package shop is shared by the examples of functions in other languages: an in-process Kafka broker, orders in a
// topic, and a mapping that passes the paid ones to a function, with retries and partial batch responses.
package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/function"
)

const (
	partitions = 4
	orders     = 1000
	topic      = "orders"
)

// Logger returns a logger that logs to stderr at level and above.
func Logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// Run produces orders, has target handle the paid ones, and prints a summary. Every third order is paid; order 300 is
// poison. The function reports what it cannot ship, so that only those records are retried.
func Run(ctx context.Context, out io.Writer, target function.Target, log *slog.Logger, opts ...esm.Option) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return fmt.Errorf("starting the in-process broker: %w", err)
	}
	defer cluster.Close()
	if err := produce(ctx, cluster.ListenAddrs()); err != nil {
		return err
	}
	mapping := esm.Mapping{
		FunctionName:                   "ship-orders",
		SelfManagedEventSource:         esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
		Topics:                         []string{topic},
		StartingPosition:               esm.TrimHorizon,
		BatchSize:                      20,
		MaximumBatchingWindowInSeconds: new(0),
		MaximumRetryAttempts:           new(3),
		FunctionResponseTypes:          []esm.FunctionResponseType{esm.ReportBatchItemFailures},
		FilterCriteria:                 &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":{"status":["paid"]}}`}}},
	}
	begin := time.Now()
	if err := target.Ready(ctx); err != nil { // the cold start happens before the first batch
		return err
	}
	_, _ = fmt.Fprintf(out, "the function is ready after %v\n", time.Since(begin).Round(time.Millisecond))
	runner, err := esm.New(mapping, target.Handle, append([]esm.Option{esm.WithLogger(log), esm.WithWorkerRange(1, 2),
		esm.WithRetryBackoff(20*time.Millisecond, time.Second)}, opts...)...)
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runner.Run(runCtx) }()
	begin = time.Now()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !drained(runner.Status()) {
		select {
		case err := <-done:
			return errors.Join(errors.New("the mapping ended early"), err)
		case <-ticker.C:
		}
	}
	took := time.Since(begin)
	stop()
	if err := <-done; err != nil {
		return err
	}
	m := runner.Metrics()
	_, _ = fmt.Fprintf(out, "%d orders polled, %d filtered out, %d shipped, %d given up, in %v\n", m.PolledEventCount, m.FilteredOutEventCount,
		m.PolledEventCount-m.FilteredOutEventCount-m.DroppedEventCount, m.DroppedEventCount, took.Round(10*time.Millisecond))
	_, _ = fmt.Fprintf(out, "%d invocations, %d of them reported orders to be tried again\n", m.InvokeCount, m.InvokeErrorCount)
	return nil
}

// drained reports whether the group's commits have reached the ends of all partitions.
func drained(s esm.Status) bool {
	for _, p := range s.Partitions {
		if p.Lag != 0 {
			return false
		}
	}
	return len(s.Partitions) == partitions
}

func produce(ctx context.Context, servers []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(servers...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for i := range orders {
		status := "new"
		if i%3 == 0 {
			status = "paid"
		}
		records = append(records, kgo.StringRecord(fmt.Sprintf(`{"id":%d,"status":%q,"amount":%d}`, i, status, i%100)))
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}
