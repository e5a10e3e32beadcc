package esmotel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmotel"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// traceID and spanID return the ids in the i-th producer's headers.
func traceID(i int) string { return fmt.Sprintf("%032x", 0xabc000+i) }
func spanID(i int) string  { return fmt.Sprintf("%016x", 0xdef000+i) }

func produced(i int, headers ...event.Header) membroker.Record {
	return membroker.Record{Value: []byte("secret value"), Key: []byte("secret key"), Headers: headers}
}

func w3c(i int) event.Header {
	return event.Header{Key: "traceparent", Value: []byte("00-" + traceID(i) + "-" + spanID(i) + "-01")}
}

// rig runs a mapping of topic t on an in-memory broker, with spans kept in memory.
type rig struct {
	broker  *membroker.Broker
	runner  *esmtest.Recorder
	spans   *tracetest.InMemoryExporter
	handled *esmotel.Telemetry
}

func start(t *testing.T, sampler sdk.Sampler, m esm.Mapping, h esm.Handler, more func(*esmotel.Telemetry) []esm.Option, opts ...esmotel.Option) *rig {
	t.Helper()
	r := &rig{broker: esmtest.NewBroker(t), spans: tracetest.NewInMemoryExporter()}
	r.broker.CreateTopic("t", 2)
	tracers := sdk.NewTracerProvider(sdk.WithSampler(sampler), sdk.WithSyncer(r.spans))
	telemetry, err := esmotel.New(append(opts, esmotel.WithTracerProvider(tracers))...)
	if err != nil {
		t.Fatal(err)
	}
	options := telemetry.Options()
	if more != nil {
		options = append(options, more(telemetry)...)
	}
	m.FunctionName, m.Topics, m.StartingPosition = "f", []string{"t"}, "TRIM_HORIZON"
	r.runner = esmtest.Start(t, r.broker, m, h, options...)
	<-r.runner.Ready()
	stop, err := telemetry.Observe(r.runner.Runner())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// of returns the spans of an operation, in the order in which they ended.
func (r *rig) of(operation string) (list tracetest.SpanStubs) {
	for _, s := range r.spans.GetSpans() {
		if value(s.Attributes, "messaging.operation.name") == operation {
			list = append(list, s)
		}
	}
	return list
}

func value(all []attribute.KeyValue, key attribute.Key) string {
	for _, a := range all {
		if a.Key == key {
			return a.Value.Emit()
		}
	}
	return ""
}

func wantAttributes(t *testing.T, s tracetest.SpanStub, want map[attribute.Key]string) {
	t.Helper()
	for key, v := range want {
		if got := value(s.Attributes, key); got != v {
			t.Errorf("%s: %s is %q, want %q", s.Name, key, got, v)
		}
	}
	for _, a := range s.Attributes {
		if v := a.Value.Emit(); v == "secret key" || v == "secret value" {
			t.Errorf("%s shows %s", s.Name, v)
		}
	}
}

func links(s tracetest.SpanStub) (ids []string) {
	for _, l := range s.Links {
		ids = append(ids, l.SpanContext.TraceID().String()+"-"+l.SpanContext.SpanID().String())
	}
	slices.Sort(ids)
	return ids
}

func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside trace.SpanContext
		r := start(t, sdk.AlwaysSample(), esm.Mapping{MaximumBatchingWindowInSeconds: new(1)}, func(ctx context.Context, _ esm.KafkaEvent) error {
			inside = trace.SpanContextFromContext(ctx)
			time.Sleep(200 * time.Millisecond)
			return nil
		}, nil)
		r.broker.Produce("t", produced(1, w3c(1)), produced(2), produced(3, event.Header{Key: "x", Value: []byte("y")}, w3c(3)))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		spans := r.of("process")
		if len(spans) != 1 {
			t.Fatalf("%d process spans", len(spans))
		}
		s := spans[0]
		if s.Name != "process t" || s.SpanKind != trace.SpanKindConsumer || s.SpanContext.SpanID() != inside.SpanID() || s.EndTime.Sub(s.StartTime) != 200*time.Millisecond || s.Parent.IsValid() {
			t.Errorf("%s, %v, in the handler %v, took %v, parent %v", s.Name, s.SpanKind, inside.SpanID(), s.EndTime.Sub(s.StartTime), s.Parent)
		}
		if want := []string{traceID(1) + "-" + spanID(1), traceID(3) + "-" + spanID(3)}; !slices.Equal(links(s), want) {
			t.Errorf("links %v, want %v", links(s), want)
		}
		group := r.runner.Runner().Status().ConsumerGroupId
		wantAttributes(t, s, map[attribute.Key]string{"messaging.system": "kafka", "messaging.operation.type": "process", "messaging.destination.name": "t",
			"messaging.consumer.group.name": group, "messaging.batch.message_count": "3", "messaging.destination.partition.id": "0", "esm.attempt": "1", "faas.invoked_name": "f"})
		commits := r.of("commit")
		last := commits[len(commits)-1]
		if last.Name != "commit t" || last.SpanKind != trace.SpanKindClient || !slices.Contains(links(last), s.SpanContext.TraceID().String()+"-"+s.SpanContext.SpanID().String()) {
			t.Errorf("the commit %s, %v, has links %v", last.Name, last.SpanKind, links(last))
		}
		wantAttributes(t, last, map[attribute.Key]string{"messaging.operation.type": "settle", "messaging.system": "kafka", "messaging.destination.name": "t"})
	})
}

func TestBatchOfOne(t *testing.T) {
	for name, c := range map[string]struct {
		headers []event.Header
		options []esmotel.Option
	}{
		"W3C":          {headers: []event.Header{w3c(1)}},
		"the last one": {headers: []event.Header{w3c(7), w3c(1)}},
		"b3": {headers: []event.Header{{Key: "b3", Value: []byte(traceID(1) + "-" + spanID(1) + "-1")}},
			options: []esmotel.Option{esmotel.WithPropagator(b3.New())}},
		"b3, several headers": {headers: []event.Header{{Key: "X-B3-TraceId", Value: []byte(traceID(1))}, {Key: "X-B3-SpanId", Value: []byte(spanID(1))}, {Key: "X-B3-Sampled", Value: []byte("1")}},
			options: []esmotel.Option{esmotel.WithPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, b3.New()))}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fail := errors.New("no")
				calls := 0
				r := start(t, sdk.ParentBased(sdk.NeverSample()), esm.Mapping{}, func(context.Context, esm.KafkaEvent) error {
					if calls++; calls == 1 {
						return fail
					}
					return nil
				}, nil, c.options...)
				r.broker.Produce("t", produced(1, c.headers...))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				spans := r.of("process")
				if len(spans) != 2 {
					t.Fatalf("%d spans, want those that the producer had sampled", len(spans))
				}
				for i, s := range spans {
					if s.Parent.TraceID().String() != traceID(1) || s.Parent.SpanID().String() != spanID(1) || len(s.Links) != 0 {
						t.Errorf("parent %v, %d links", s.Parent, len(s.Links))
					}
					wantAttributes(t, s, map[attribute.Key]string{"messaging.kafka.offset": "0", "messaging.batch.message_count": "", "esm.attempt": fmt.Sprint(i + 1)})
				}
				if spans[0].Status.Code != codes.Error || spans[0].Status.Description != "no" || value(spans[0].Attributes, "error.type") != "_OTHER" || spans[1].Status.Code == codes.Error {
					t.Errorf("%+v, %+v", spans[0].Status, spans[1].Status)
				}
			})
		})
	}
}

// An unsampled batch reads no headers, keeps nothing and exports nothing; the handler's context carries the decision.
func TestNotSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counting := &countingPropagator{}
		sampled := true
		r := start(t, sdk.NeverSample(), esm.Mapping{MaximumBatchingWindowInSeconds: new(1)}, func(ctx context.Context, _ esm.KafkaEvent) error {
			sc := trace.SpanContextFromContext(ctx)
			sampled = !sc.IsValid() || sc.IsSampled()
			return nil
		}, nil, esmotel.WithPropagator(counting))
		r.broker.Produce("t", produced(1, w3c(1)), produced(2, w3c(2)))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if sampled || counting.extracted != 0 || len(r.spans.GetSpans()) != 0 {
			t.Errorf("sampled %t, %d headers read, %d spans", sampled, counting.extracted, len(r.spans.GetSpans()))
		}
	})
}

type countingPropagator struct {
	propagation.TraceContext
	extracted int
}

func (p *countingPropagator) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	p.extracted++
	return p.TraceContext.Extract(ctx, c)
}

func TestDestinationAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sends := 0
		to := destination.Func(func(ctx context.Context, _ *destination.Failure) error {
			if !trace.SpanContextFromContext(ctx).IsSampled() {
				t.Error("the context of Send has no span")
			}
			if sends++; sends == 1 {
				return errors.New("full")
			}
			return nil
		})
		r := start(t, sdk.AlwaysSample(), esm.Mapping{MaximumRetryAttempts: new(0)}, func(context.Context, esm.KafkaEvent) error { panic("boo") },
			func(telemetry *esmotel.Telemetry) []esm.Option {
				return []esm.Option{esm.WithDestination(telemetry.Destination(to))}
			})
		r.broker.Produce("t", produced(1, w3c(1)))
		time.Sleep(time.Minute)
		synctest.Wait()
		process, send := r.of("process"), r.of("send")
		if len(process) != 1 || value(process[0].Attributes, "error.type") != "panic" {
			t.Errorf("process spans %v", process)
		}
		if len(send) != 2 || send[0].Status.Code != codes.Error || send[1].Status.Code == codes.Error {
			t.Fatalf("send spans %v", send)
		}
		if s := send[1]; s.Name != "send destination" || s.SpanKind != trace.SpanKindProducer || !slices.Equal(links(s), []string{traceID(1) + "-" + spanID(1)}) {
			t.Errorf("%s, %v, links %v", s.Name, s.SpanKind, links(s))
		}
		wantAttributes(t, send[1], map[attribute.Key]string{"messaging.operation.type": "send", "esm.condition": "RetryAttemptsExhausted", "messaging.batch.message_count": "1"})
	})
}
