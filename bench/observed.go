package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/esmotel"
	"github.com/esm-go/esm/esmprom"
)

// observedFigures compares an unobserved mapping with one that is scraped each second and whose tracer
// samples nothing, and with one whose tracer samples one batch in a hundred: processor time and records per
// second, in turns.
func observedFigures(ctx context.Context, bootstrap []string, records int64, batch, repeat int) error {
	b, err := openKafka(bootstrap)
	if err != nil {
		return err
	}
	defer b.close()
	const partitions = 8
	topic := "esm-bench-traced"
	if err := b.topic(ctx, topic, partitions, 100, 0); err != nil {
		return err
	}
	if err := b.traced(ctx, topic, partitions, records); err != nil {
		return err
	}
	ways := []struct {
		name    string
		sampler trace.Sampler
	}{
		{"nothing", nil},
		{"esmprom scraped each second, esmotel unsampled", trace.NeverSample()},
		{"the same, 1 batch in 100 sampled", trace.TraceIDRatioBased(0.01)},
	}
	rate, cpu, part := make([][]float64, len(ways)), make([][]float64, len(ways)), make([][]float64, len(ways))
	for turn := range repeat {
		for k := range ways {
			i := (k + turn) % len(ways) // each comes first as often as the others
			way := ways[i]
			m := mapping(job{Bootstrap: b.bootstrap, Topic: topic, Group: groupName(), Batch: batch})
			var observed []observer
			var options []esm.Option
			if way.sampler != nil {
				o, err := newObserver(way.sampler)
				if err != nil {
					return err
				}
				observed, options = append(observed, o.observe), o.telemetry.Options()
			}
			runtime.GC() // keep the garbage of one out of the next one's measurement
			shared, err := share("esmotel", "esmprom", "go.opentelemetry.io", "prometheus")
			if err != nil {
				return err
			}
			took, used, _, err := readAll(ctx, m, franz.Driver(), records, options, observed...)
			if err != nil {
				return fmt.Errorf("turn %d, %s: %w", turn+1, way.name, err)
			}
			p, err := shared()
			if err != nil {
				return err
			}
			part[i] = append(part[i], p)
			rate[i] = append(rate[i], float64(records)/took.Seconds())
			cpu[i] = append(cpu[i], used.Seconds()*1e9/float64(records))
		}
	}
	fmt.Printf("\n%d records of 100 bytes with a traceparent header, %d partitions, BatchSize %d, franz-go, until all is committed, on %s, %d in turns\n\n", records, partitions, batch, b.name, repeat)
	fmt.Println("A ratio is the median of the ratios of two passes of one turn, with its 95 % confidence interval, and then the ratio of the best passes of\n" +
		"all turns. The last column is the part of the process's CPU that the code of OpenTelemetry, Prometheus, esmotel and esmprom takes: the median\n" +
		"of profiles.\n\n" +
		"| what is observed | records/s, most | ratio, median | of the best | CPU ns a record, least | ratio, median | of the best | part of the CPU |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for i, way := range ways {
		most, less := quantile(rate[i], 1), quantile(cpu[i], 0)
		fmt.Printf("| %s | %s | %s | %.3f | %.1f | %s | %.3f | %.1f %% |\n", way.name, millions(most), medianRatio(rate[i], rate[0]), most/quantile(rate[0], 1),
			less, medianRatio(cpu[i], cpu[0]), less/quantile(cpu[0], 0), 100*median(part[i]))
	}
	return nil
}

// medianRatio returns the median of the ratios of two lists, pair by pair, with its 95 % confidence interval.
// The interval comes from order statistics, so it holds for any distribution.
func medianRatio(of, to []float64) string {
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = of[i] / to[i]
	}
	slices.Sort(ratios)
	n := float64(len(ratios))
	low := max(int((n-1.96*math.Sqrt(n))/2), 0)
	return fmt.Sprintf("%.3f (%.3f to %.3f)", median(ratios), ratios[low], ratios[len(ratios)-1-low])
}

// observer observes a Runner until the returned function is called.
type observer func(*esm.Runner) (stop func() error, err error)

type observing struct {
	telemetry *esmotel.Telemetry
	reader    *metric.ManualReader
	tracers   *trace.TracerProvider
}

// discard is an exporter without any cost of its own.
type discard struct{}

func (discard) ExportSpans(context.Context, []trace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                          { return nil }

func newObserver(sampler trace.Sampler) (*observing, error) {
	o := &observing{reader: metric.NewManualReader()}
	o.tracers = trace.NewTracerProvider(trace.WithSampler(sampler), trace.WithBatcher(discard{}))
	telemetry, err := esmotel.New(esmotel.WithTracerProvider(o.tracers), esmotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(o.reader))))
	o.telemetry = telemetry
	return o, err
}

// observe scrapes and collects each second.
func (o *observing) observe(r *esm.Runner) (func() error, error) {
	stopMeter, err := o.telemetry.Observe(r)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(esmprom.New(r))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var data metricdata.ResourceMetrics
		for {
			select {
			case <-ctx.Done():
				ended <- nil
				return
			case <-tick.C:
			}
			families, err := registry.Gather()
			if err != nil {
				ended <- err
				return
			}
			out := expfmt.NewEncoder(io.Discard, expfmt.NewFormat(expfmt.TypeTextPlain))
			for _, f := range families {
				if err := out.Encode(f); err != nil {
					ended <- err
					return
				}
			}
			if err := o.reader.Collect(ctx, &data); err != nil && ctx.Err() == nil {
				ended <- err
				return
			}
		}
	}()
	return func() error {
		cancel()
		err := <-ended
		if e := stopMeter(); err == nil {
			err = e
		}
		_ = o.tracers.Shutdown(context.Background())
		return err
	}, nil
}

// traced fills a topic with records that a traced producer could have made.
func (b *broker) traced(ctx context.Context, topic string, partitions int, records int64) error {
	if n, err := b.count(ctx, topic, partitions); err != nil || n >= records {
		return err
	}
	value := []byte(strings.Repeat("x", 100))
	var first kgo.FirstErrPromise
	for i := range records {
		parent := fmt.Appendf(nil, "00-%032x-%016x-00", i+1, i+1)
		b.client.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(i/100) % int32(partitions), Value: value,
			Headers: []kgo.RecordHeader{{Key: "traceparent", Value: parent}}}, first.Promise())
	}
	return first.Err()
}
