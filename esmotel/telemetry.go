package esmotel

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/esm-go/esm"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/esm-go/esm/esmotel"

// Option configures a Telemetry.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
	group      string
}

// WithTracerProvider sets the provider of the tracer. Default: otel.GetTracerProvider().
func WithTracerProvider(p trace.TracerProvider) Option { return func(c *config) { c.tracers = p } }

// WithMeterProvider sets the provider of the meter. Default: otel.GetMeterProvider().
func WithMeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// WithPropagator sets the propagator that reads the producers' contexts from the records' headers. Default: W3C's
// traceparent and tracestate.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return func(c *config) { c.propagator = p }
}

// WithConsumerGroup sets messaging.consumer.group.name. Observe sets it too, for spans and metrics that begin after it.
func WithConsumerGroup(name string) Option { return func(c *config) { c.group = name } }

// Telemetry traces and measures one mapping. It is safe for concurrent use.
type Telemetry struct {
	tracer     trace.Tracer
	meter      metric.Meter
	propagator propagation.TextMapPropagator

	process   messagingconv.ProcessDuration
	operation messagingconv.ClientOperationDuration
	sent      messagingconv.ClientSentMessages

	group atomic.Pointer[string]
	// shapes holds a *shape for each topic; latest is the one used last.
	shapes  sync.Map
	latest  atomic.Pointer[shape]
	settled settled
}

// New returns a Telemetry. It fails if the meter refuses an instrument.
func New(opts ...Option) (*Telemetry, error) {
	c := config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider(), propagator: propagation.TraceContext{}}
	for _, o := range opts {
		o(&c)
	}
	t := &Telemetry{
		tracer:     c.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		meter:      c.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)),
		propagator: c.propagator,
	}
	t.group.Store(&c.group)
	var errs [3]error
	t.process, errs[0] = messagingconv.NewProcessDuration(t.meter)
	t.operation, errs[1] = messagingconv.NewClientOperationDuration(t.meter)
	t.sent, errs[2] = messagingconv.NewClientSentMessages(t.meter)
	return t, errors.Join(errs[:]...)
}

// Options returns the options for esm.New that trace and measure a mapping: Middleware, inside of any middleware given
// before, and Hooks.
func (t *Telemetry) Options() []esm.Option {
	return []esm.Option{esm.WithMiddleware(t.Middleware()), esm.WithHooks(t.Hooks())}
}

// shape holds what spans and metrics of a topic have in common; the topic is empty for batches of several topics. Its
// options are created once, so that a batch creates none.
type shape struct {
	group, topic, name string
	// span is what a sampler sees; described are the attributes that a recorded span gets later. The SDK copies what it
	// gets at the start even if it does not record the span.
	span      []trace.SpanStartOption
	described []attribute.KeyValue
	ok        []metric.RecordOption
	failed    map[string][]metric.RecordOption // by errorType
}

func (t *Telemetry) shape(topic string) *shape {
	group := *t.group.Load()
	if s := t.latest.Load(); s != nil && s.topic == topic && s.group == group {
		return s
	}
	s := t.shapeOf(topic, group)
	t.latest.Store(s)
	return s
}

func (t *Telemetry) shapeOf(topic, group string) *shape {
	if s, ok := t.shapes.Load(topic); ok && s.(*shape).group == group { //nolint:forcetypeassert // nothing else is in it
		return s.(*shape) //nolint:forcetypeassert // the same
	}
	common := []attribute.KeyValue{semconv.MessagingSystemKafka}
	if topic != "" {
		common = append(common, semconv.MessagingDestinationName(topic))
	}
	if group != "" {
		common = append(common, semconv.MessagingConsumerGroupName(group))
	}
	with := func(more ...attribute.KeyValue) []attribute.KeyValue {
		return append(common[:len(common):len(common)], more...)
	}
	process := semconv.MessagingOperationName("process")
	s := &shape{
		group: group, topic: topic, name: spanName("process", topic),
		span: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}, described: with(process, semconv.MessagingOperationTypeProcess),
		ok: []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(with(process)...))}, failed: make(map[string][]metric.RecordOption),
	}
	if topic != "" {
		s.span = append(s.span, trace.WithAttributes(semconv.MessagingDestinationName(topic)))
	}
	for _, kind := range []string{"panic", "timeout", "interrupted", "_OTHER"} {
		s.failed[kind] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(with(process, semconv.ErrorTypeKey.String(kind))...))}
	}
	t.shapes.Store(topic, s)
	return s
}

// spanName returns a name by the conventions: the operation, then the destination.
func spanName(operation, topic string) string {
	if topic == "" {
		return operation
	}
	return operation + " " + topic
}
