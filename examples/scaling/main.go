// Scaling shows workers and pollers that follow a backlog: it starts an in-process Kafka broker and an idle mapping,
// produces more than one worker can handle, and prints lag, workers, pollers and the reason for every decision until
// the backlog is gone and the mapping has scaled down again.
//
//	go run ./examples/scaling
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/scaling"
)

const (
	topic      = "parcels"
	partitions = 8
	backlog    = 6_000
	batchSize  = 10
	invocation = 50 * time.Millisecond // so one worker handles 200 records a second
	longest    = 60 * time.Second
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "scaling:", err)
		os.Exit(1)
	}
}

// policy takes the workers from Drain. The pollers follow a rule of this example, so that both can be seen within
// seconds: Drain itself adds a poller only after fetching has been the bottleneck for ten seconds, and removes one
// after five minutes in which it was not needed.
type policy struct{ scaling.Drain }

func (p *policy) Decide(s scaling.Sample) scaling.Decision {
	d := p.Drain.Decide(s)
	switch lag := s.Lag(); {
	case lag > backlog/4:
		d.Pollers = s.Bounds.MaximumPollers
	case lag == 0:
		d.Pollers = s.Bounds.MinimumPollers
	}
	return d
}

func run(ctx context.Context) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return fmt.Errorf("starting the in-process broker: %w", err)
	}
	defer cluster.Close()

	var handled atomic.Int64
	handler := func(ctx context.Context, event esm.KafkaEvent) error {
		select {
		case <-time.After(invocation):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		handled.Add(int64(event.Len()))
		return nil
	}
	begun := time.Now()
	mapping := esm.Mapping{
		FunctionName:                   "scaling",
		SelfManagedEventSource:         esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
		Topics:                         []string{topic},
		BatchSize:                      batchSize,
		MaximumBatchingWindowInSeconds: new(0),
		ProvisionedPollerConfig:        &esm.ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(2)},
	}
	runner, err := esm.New(mapping, handler,
		esm.WithScaler(&policy{scaling.Drain{DrainTime: 3 * time.Second}}),
		esm.WithSessionTimeout(6*time.Second), // members learn of a rebalance by heartbeats, sent at a third of this
		esm.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))),
		esm.WithHooks(esm.Hooks{Scaled: func(i esm.ScaledInfo) {
			fmt.Printf("%5.1fs  decision  %v\n", time.Since(begun).Seconds(), i.Reason)
		}}))
	if err != nil {
		return err
	}
	runCtx, stop := context.WithTimeoutCause(ctx, longest, errors.New("the backlog was not gone in time"))
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runner.Run(runCtx) }()

	produced, most := false, esm.Status{}
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for tick := 0; ; tick++ {
		select {
		case err := <-done:
			return errors.Join(err, context.Cause(runCtx))
		case <-ticker.C:
		}
		if !produced && time.Since(begun) > time.Second {
			produced = true
			fmt.Printf("%5.1fs  %d records arrive\n", time.Since(begun).Seconds(), backlog)
			if err := produce(ctx, cluster.ListenAddrs()); err != nil {
				return errors.Join(err, end(stop, done))
			}
		}
		s := runner.Status()
		most.Workers, most.Pollers = max(most.Workers, s.Workers), max(most.Pollers, s.Pollers)
		small := s.Workers == 1 && s.Pollers == 1 && s.SumOffsetLag == 0 && handled.Load() == backlog
		if tick%2 == 0 || small {
			fmt.Printf("%5.1fs  lag %5d  workers %d %-*s pollers %d %s\n", time.Since(begun).Seconds(), s.SumOffsetLag,
				s.Workers, partitions, strings.Repeat("#", s.Workers), s.Pollers, strings.Repeat("@", s.Pollers))
		}
		if small {
			break
		}
	}
	if err := end(stop, done); err != nil {
		return err
	}
	fmt.Printf("\n%d records handled in %v, one worker takes %v; up to %d workers and %d pollers\n", handled.Load(),
		time.Since(begun).Round(100*time.Millisecond), backlog/batchSize*invocation, most.Workers, most.Pollers)
	return nil
}

// end stops the Runner and waits for it.
func end(stop context.CancelFunc, done <-chan error) error {
	stop()
	return <-done
}

func produce(ctx context.Context, brokers []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	records := make([]*kgo.Record, backlog)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: fmt.Appendf(nil, `{"parcel":%d}`, i)}
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}
