// Observed shows everything that can be observed of a mapping, with one command: it starts an in-process Kafka broker,
// produces orders with a traced producer, and handles them. One order fails for a while. It then prints the spans as a
// tree, what Prometheus would scrape, the poller's log, and the mapping's status while the order blocks its partition.
//
//	go -C examples/observed run .
//	go -C examples/observed run . -serve 127.0.0.1:8080   # and goes on, with /metrics and /debug/esm/ to look at
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/esmotel"
	"github.com/esm-go/esm/esmprom"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe/diag"
	"github.com/esm-go/esm/observe/pollerlog"
)

const (
	topic  = "orders"
	orders = 20
)

func main() {
	serve := flag.String("serve", "127.0.0.1:0", "host:port of /metrics and /debug/esm/; with a port it runs until interrupted")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, *serve, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "observed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string, out io.Writer) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topic))
	if err != nil {
		return fmt.Errorf("starting the in-process broker: %w", err)
	}
	defer cluster.Close()

	// Traces are kept in memory here; a service would use an OTLP exporter instead.
	spans := tracetest.NewInMemoryExporter()
	tracers := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	defer func() { _ = tracers.Shutdown(context.WithoutCancel(ctx)) }()
	telemetry, err := esmotel.New(esmotel.WithTracerProvider(tracers), esmotel.WithPropagator(propagation.TraceContext{}))
	if err != nil {
		return err
	}

	journal := diag.NewJournal(nil)
	var poller strings.Builder
	shop := &shop{healed: make(chan struct{})}
	options := append(telemetry.Options(), esm.WithDriver(franz.Driver()), esm.WithLogger(slog.New(journal)), esm.WithPollerLog(pollerlog.New(&poller)),
		esm.WithRetryBackoff(200*time.Millisecond, 500*time.Millisecond))
	runner, err := esm.New(esm.Mapping{
		FunctionName:                   "orders",
		SelfManagedEventSource:         esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
		Topics:                         []string{topic},
		StartingPosition:               esm.TrimHorizon,
		BatchSize:                      5,
		MaximumBatchingWindowInSeconds: new(1),
		ProvisionedPollerConfig:        &esm.ProvisionedPollerConfig{},
		LoggingConfig:                  &mapping.LoggingConfig{SystemLogLevel: "INFO"},
	}, shop.handle, options...)
	if err != nil {
		return err
	}
	stopObserving, err := telemetry.Observe(runner)
	if err != nil {
		return err
	}
	defer func() { _ = stopObserving() }()

	registry := prometheus.NewRegistry()
	registry.MustRegister(esmprom.New(runner, esmprom.WithPartitions()))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/debug/esm/", http.StripPrefix("/debug/esm", diag.Handler(runner, journal)))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		_ = server.Close()
		<-served
	}()
	url := "http://" + listener.Addr().String()

	run, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runner.Run(run) }()
	if err := produce(ctx, cluster.ListenAddrs(), tracers); err != nil {
		return err
	}
	if err := until(ctx, func() bool { return runner.Metrics().InvokeErrorCount >= 3 && shop.handled.Load() >= orders/2 }); err != nil {
		return err
	}

	fmt.Fprintf(out, "=== who blocks, as %s/debug/esm/ shows it\n", url)
	fmt.Fprintln(out, runner.Status())
	close(shop.healed)
	if err := until(ctx, func() bool { s := runner.Status(); return shop.handled.Load() >= orders && s.SumOffsetLag == 0 }); err != nil {
		return err
	}

	fmt.Fprintln(out, "\n=== the spans, as a tree")
	printTree(out, spans.GetSpans())
	fmt.Fprintf(out, "\n=== some of %s/metrics\n", url)
	if err := printMetrics(ctx, out, url); err != nil {
		return err
	}
	fmt.Fprintln(out, "\n=== the last events of the journal")
	for _, e := range journal.Events()[:min(5, len(journal.Events()))] {
		fmt.Fprintf(out, "%s %s %s\n", e.Level, e.What, e.Attributes)
	}
	if !strings.HasSuffix(address, ":0") {
		fmt.Fprintf(out, "\nlook at %s/debug/esm/ and %s/metrics; interrupt to end\n", url, url)
		<-ctx.Done()
	}
	stop()
	if err := <-done; err != nil {
		return err
	}
	fmt.Fprintln(out, "\n=== the poller's log")
	fmt.Fprint(out, poller.String())
	return nil
}

// shop handles orders; order 13 fails until healed is closed.
type shop struct {
	handled atomic.Int64
	healed  chan struct{}
}

var errStock = errors.New("the stock does not answer")

func (s *shop) handle(ctx context.Context, e esm.KafkaEvent) error {
	for _, records := range e.Records {
		for i := range records {
			if string(records[i].Key) != "customer-13" {
				continue
			}
			select {
			case <-s.healed:
			default:
				return errStock
			}
		}
	}
	_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("shop").Start(ctx, "write to the database") // under the batch's
	defer span.End()
	s.handled.Add(int64(e.Len()))
	return nil
}

// produce writes the orders. kotel creates a span for each and puts it into the record's headers.
func produce(ctx context.Context, brokers []string, tracers *sdk.TracerProvider) error {
	tracer := kotel.NewTracer(kotel.TracerProvider(tracers), kotel.TracerPropagator(propagation.TraceContext{}))
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.WithHooks(kotel.NewKotel(kotel.WithTracer(tracer)).Hooks()...))
	if err != nil {
		return err
	}
	defer client.Close()
	for i := range orders {
		r := &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "customer-%d", i), Value: fmt.Appendf(nil, `{"order":%d}`, i)}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// until waits until so returns true.
func until(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
