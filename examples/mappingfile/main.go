// Mappingfile runs an event source mapping from a file, in the form of `aws lambda create-event-source-mapping
// --cli-input-json`: what runs on Lambda runs here unchanged.
//
// Without -bootstrap it uses an in-process Kafka broker instead of the file's brokers. It writes orders to the
// mapping's topic. The filter selects the paid ones, and one order is poison. When every order is handled or dropped,
// the program prints a summary and ends.
//
//	go run ./examples/mappingfile
//	go run ./examples/mappingfile -mapping mine.json -bootstrap broker:9092
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
)

//go:embed mapping.json
var example []byte

const (
	partitions = 3
	orders     = 600
	// poison is the number of an order that cannot be shipped. It is a paid one.
	poison = 301
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mappingfile:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mappingfile", flag.ContinueOnError)
	file := flags.String("mapping", "", "a file in CreateEventSourceMapping's form; default: mapping.json beside this program")
	bootstrap := flags.String("bootstrap", "", "host:port of brokers, comma-joined, in place of the file's; default: an in-process broker")
	if err := flags.Parse(args); err != nil {
		return err
	}
	document := example
	if *file != "" {
		var err error
		if document, err = os.ReadFile(*file); err != nil {
			return err
		}
	}
	mapping, err := esm.ParseMapping(document)
	if err != nil {
		return err
	}
	servers := strings.Split(*bootstrap, ",")
	if *bootstrap == "" {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return fmt.Errorf("starting the in-process broker: %w", err)
		}
		defer cluster.Close()
		servers = cluster.ListenAddrs()
	}
	mapping.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = servers
	if err := mapping.Validate(); err != nil {
		return err
	}
	if err := produce(ctx, servers, mapping.Topics[0]); err != nil {
		return err
	}
	return ship(ctx, mapping, out)
}

// ship runs the mapping until every record is resolved.
func ship(ctx context.Context, mapping esm.Mapping, out io.Writer) error {
	_, _ = fmt.Fprintf(out, "mapping of %s: topics %v, group %s, batches of %d\n", mapping.FunctionName, mapping.Topics, mapping.GroupID(),
		mapping.WithDefaults().BatchSize)
	if c := mapping.FilterCriteria; c != nil {
		for _, f := range c.Filters {
			_, _ = fmt.Fprintln(out, "filter", f.Pattern)
		}
	}
	progress := make(chan struct{}, 1)
	var shipped atomic.Int64
	runner, err := esm.New(mapping, func(_ context.Context, event esm.KafkaEvent) error {
		for _, records := range event.Records {
			for _, r := range records {
				var o order
				if err := json.Unmarshal(r.Value, &o); err != nil {
					return fmt.Errorf("offset %d of %s is not an order: %w", r.Offset, esm.TopicPartition{Topic: r.Topic, Partition: r.Partition}, err)
				}
				if o.ID == poison {
					return fmt.Errorf("order %d has no address", o.ID)
				}
			}
		}
		shipped.Add(int64(event.Len()))
		return nil
	},
		esm.WithLogger(slog.New(slog.DiscardHandler)), // the hooks show what happens
		esm.WithWorkers(1),                            // one batch at a time, so that the output is easy to follow
		esm.WithRetryBackoff(20*time.Millisecond, time.Second),
		esm.WithHooks(esm.Hooks{
			BatchEnd: func(_ context.Context, b esm.BatchEndInfo) {
				result := "shipped"
				if b.Err != nil {
					result = b.Err.Error()
				}
				_, _ = fmt.Fprintf(out, "batch of %d, attempt %d: %s\n", b.Records, b.Attempt, result)
			},
			Drop: func(d esm.DropInfo) {
				_, _ = fmt.Fprintf(out, "dropped offset %d of %s: %s after %d attempts: %v\n", d.Records[0].Offset, d.TopicPartition, d.Reason,
					d.Attempts, d.Err)
			},
			Commit: func(esm.CommitInfo) {
				select {
				case progress <- struct{}{}:
				default:
				}
			},
		}))
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runner.Run(runCtx) }()
	for !drained(runner.Status()) {
		select {
		case <-progress:
		case <-time.After(time.Second):
		case err := <-done:
			return err
		}
	}
	stop()
	if err := <-done; err != nil {
		return err
	}
	m := runner.Metrics()
	_, _ = fmt.Fprintf(out, "read %d orders: %d filtered out, %d shipped, %d dropped\n", m.PolledEventCount, m.FilteredOutEventCount, shipped.Load(),
		m.DroppedEventCount)
	return nil
}

// drained reports whether the group's commits have reached the ends of all partitions.
func drained(s esm.Status) bool {
	for _, p := range s.Partitions {
		if p.Lag != 0 {
			return false
		}
	}
	return len(s.Partitions) > 0
}

type order struct {
	ID     int    `json:"id"`
	Status string `json:"status"`
	Amount int    `json:"amount"`
}

// produce creates the topic and fills it: every third order is paid.
func produce(ctx context.Context, servers []string, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(servers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, partitions, -1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %s on %v: is it reachable? %w", topic, servers, err)
	}
	var records []*kgo.Record
	for i := range orders {
		o := order{ID: i, Status: []string{"open", "paid", "cancelled"}[i%3], Amount: 1 + i%90}
		value, err := json.Marshal(o)
		if err != nil {
			return err
		}
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(i / 3 % partitions), Value: value})
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("writing orders to %s: %w", topic, err)
	}
	return nil
}
