// Quickstart runs an event source mapping from beginning to end: it starts an in-process Kafka broker, produces a few
// thousand orders, and passes them to a handler that sometimes fails. It shows batches, retries and lag while it runs,
// and ends with a summary when all orders are handled.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -bootstrap broker:9092   # a real cluster instead
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
)

const partitions = 4

type order struct {
	ID     int    `json:"id"`
	Item   string `json:"item"`
	Amount int    `json:"amount"`
}

func main() {
	bootstrap := flag.String("bootstrap", "", "host:port of a cluster; default: an in-process broker")
	topic := flag.String("topic", "quickstart-orders", "the topic, made when it does not exist")
	orders := flag.Int("orders", 4000, "how many orders to produce")
	verbose := flag.Bool("v", false, "show the library's log")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, *bootstrap, *topic, *orders, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bootstrap, topic string, orders int, verbose bool) error {
	if bootstrap == "" {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return fmt.Errorf("starting the in-process broker: %w", err)
		}
		defer cluster.Close()
		bootstrap = strings.Join(cluster.ListenAddrs(), ",")
		fmt.Println("started an in-process Kafka broker at", bootstrap)
	}
	if err := produce(ctx, bootstrap, topic, orders); err != nil {
		return err
	}
	fmt.Printf("produced %d orders to %s, %d partitions\n\n", orders, topic, partitions)

	mapping := esm.Mapping{
		FunctionName: "quickstart",
		SelfManagedEventSource: esm.SelfManagedEventSource{
			Endpoints: esm.Endpoints{KafkaBootstrapServers: strings.Split(bootstrap, ",")},
		},
		Topics:                         []string{topic},
		StartingPosition:               esm.TrimHorizon,
		BatchSize:                      100,
		MaximumBatchingWindowInSeconds: new(1),
		FunctionResponseTypes:          []esm.FunctionResponseType{esm.ReportBatchItemFailures},
	}
	shop := &shop{rng: rand.New(rand.NewPCG(1, 2))}
	var retries atomic.Int64
	level := slog.LevelError
	if verbose {
		level = slog.LevelInfo
	}
	runner, err := esm.New(mapping, shop.handle,
		esm.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))),
		esm.WithWorkers(1), // one batch at a time, so that the output is easy to follow
		esm.WithHooks(esm.Hooks{Retry: func(r esm.RetryInfo) {
			retries.Add(1)
			fmt.Printf("  retry    %s offsets %d..%d (%d records) in %v: %v\n", r.TopicPartition, r.First, r.Last, r.Records,
				r.After.Round(time.Millisecond), r.Err)
		}}))
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runner.Run(runCtx) }()

	begin := time.Now()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	shown := time.Time{}
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
		}
		s := runner.Status()
		if time.Since(shown) > 300*time.Millisecond {
			shown = time.Now()
			fmt.Printf("lag %5d   handled %5d   invocations %3d   in flight %d   %s\n", s.SumOffsetLag, shop.handled.Load(),
				s.Metrics.InvokeCount, s.InFlight, s.LastProcessingResult)
		}
		if drained(s) && shop.handled.Load() >= int64(orders) {
			break
		}
	}
	fmt.Println("\ndrained; stopping")
	stop()
	if err := <-done; err != nil {
		return err
	}
	m := runner.Metrics()
	fmt.Printf("\nsummary: %d orders worth %d handled in %v, %d invocations, %d of them failed in part, %d retries, committed %d, dropped %d\n",
		shop.handled.Load(), shop.worth.Load(), time.Since(begin).Round(10*time.Millisecond), m.InvokeCount, m.InvokeErrorCount,
		retries.Load(), m.CommittedEventCount, m.DroppedEventCount)
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

// shop handles orders. Now and then one fails and is reported as a partial batch failure.
type shop struct {
	rng            *rand.Rand // there is one worker, so no lock is needed
	handled, worth atomic.Int64
}

func (s *shop) handle(ctx context.Context, event esm.KafkaEvent) error {
	var failed []esm.ItemID
	for _, records := range event.Records {
		for _, r := range records {
			var o order
			if err := json.Unmarshal(r.Value, &o); err != nil {
				return esm.Permanent(err) // a retry would not help
			}
			if s.rng.IntN(500) == 0 {
				failed = append(failed, r.ItemID())
				continue
			}
			s.handled.Add(1)
			s.worth.Add(int64(o.Amount))
		}
	}
	if inv, _ := esm.InvocationFromContext(ctx); inv.ID%10 == 1 {
		fmt.Printf("  batch    #%d: %d records, %d bytes of JSON, attempt %d\n", inv.ID, inv.Records, inv.Bytes, inv.Attempt)
	}
	if len(failed) > 0 {
		return errors.Join(fmt.Errorf("the warehouse was busy: %w", esm.ItemFailures(failed...)))
	}
	return nil
}

// produce creates the topic and fills it.
func produce(ctx context.Context, bootstrap, topic string, n int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, partitions, -1, nil, topic); err != nil && !strings.Contains(err.Error(), "already exists") {
		return fmt.Errorf("creating topic %s on %s: is it reachable? %w", topic, bootstrap, err)
	}
	for i := range n {
		value, err := json.Marshal(order{ID: i, Item: fmt.Sprintf("item-%d", i%37), Amount: i % 100})
		if err != nil {
			return err
		}
		client.Produce(ctx, &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "customer-%d", i%50), Value: value}, nil)
	}
	return client.Flush(ctx)
}
