package esmotel_test

import (
	"context"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmotel"
	"github.com/esm-go/esm/event"
	"go.opentelemetry.io/otel/sdk/metric"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// discard is an exporter without any cost.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                        { return nil }

// BenchmarkMiddleware measures what the middleware adds to the cost of a batch of 100 records with a traceparent.
func BenchmarkMiddleware(b *testing.B) {
	records := make([]event.KafkaRecord, 100)
	for i := range records {
		records[i] = event.KafkaRecord{Topic: "t", Offset: int64(i), Value: make([]byte, 100), Headers: []event.Header{w3c(i)}}
	}
	e := esm.KafkaEvent{Records: map[string][]event.KafkaRecord{"t-0": records}}
	ctx := event.WithInvocation(context.Background(), &event.Invocation{FunctionName: "f", Attempt: 1})
	handler := func(context.Context, esm.KafkaEvent) error { return nil }
	for _, c := range []struct {
		name    string
		sampler sdk.Sampler
	}{{"unsampled", sdk.NeverSample()}, {"1 in 100", sdk.TraceIDRatioBased(0.01)}, {"all", sdk.AlwaysSample()}} {
		b.Run(c.name, func(b *testing.B) {
			tracers := sdk.NewTracerProvider(sdk.WithSampler(c.sampler), sdk.WithBatcher(discard{}))
			telemetry, err := esmotel.New(esmotel.WithTracerProvider(tracers), esmotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))))
			if err != nil {
				b.Fatal(err)
			}
			h := telemetry.Middleware()(handler)
			b.ReportAllocs()
			for range b.N {
				if err := h(ctx, e); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			_ = tracers.Shutdown(context.Background())
		})
	}
}
