package esmotel_test

import (
	"context"
	"slices"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmotel"
	"github.com/esm-go/esm/event"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// asked samples everything and keeps the parameters.
type asked struct{ with []sdk.SamplingParameters }

func (a *asked) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	a.with = append(a.with, p)
	return sdk.AlwaysSample().ShouldSample(p)
}

func (*asked) Description() string { return "asked" }

// A sampler sees the name, the kind and the topic of a batch, and the parent of a batch of one record; a recorded span
// has the other attributes of the conventions.
func TestWhatASamplerSees(t *testing.T) {
	sampler, spans := new(asked), tracetest.NewInMemoryExporter()
	telemetry, err := esmotel.New(esmotel.WithTracerProvider(sdk.NewTracerProvider(sdk.WithSampler(sampler), sdk.WithSyncer(spans))), esmotel.WithConsumerGroup("g"))
	if err != nil {
		t.Fatal(err)
	}
	h := telemetry.Middleware()(func(context.Context, esm.KafkaEvent) error { return nil })
	record := func(i int) event.KafkaRecord {
		return event.KafkaRecord{Topic: "t", Offset: int64(i), Headers: []event.Header{w3c(i)}}
	}
	for _, records := range [][]event.KafkaRecord{{record(1)}, {record(2), record(3)}} {
		if err := h(t.Context(), esm.KafkaEvent{Records: map[string][]event.KafkaRecord{"t-0": records}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(sampler.with) != 2 {
		t.Fatalf("asked %d times", len(sampler.with))
	}
	for i, p := range sampler.with {
		if p.Name != "process t" || p.Kind != trace.SpanKindConsumer || !slices.Equal(p.Attributes, []attribute.KeyValue{attribute.String("messaging.destination.name", "t")}) {
			t.Errorf("%d: %q, %v, %v", i, p.Name, p.Kind, p.Attributes)
		}
		if parent := trace.SpanContextFromContext(p.ParentContext); parent.IsValid() != (i == 0) || i == 0 && parent.TraceID().String() != traceID(1) {
			t.Errorf("%d: the parent is %v", i, parent)
		}
	}
	for i, s := range spans.GetSpans() {
		for key, want := range map[attribute.Key]string{"messaging.system": "kafka", "messaging.destination.name": "t", "messaging.operation.name": "process",
			"messaging.operation.type": "process", "messaging.consumer.group.name": "g", "messaging.destination.partition.id": "0"} {
			if got := value(s.Attributes, key); got != want {
				t.Errorf("%d: %s is %q, want %q", i, key, got, want)
			}
		}
	}
}
