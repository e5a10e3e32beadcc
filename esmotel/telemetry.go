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

// Option changes where a Telemetry sends to.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
	group      string
}

// WithTracerProvider sets where spans go; default otel.GetTracerProvider().
func WithTracerProvider(p trace.TracerProvider) Option { return func(c *config) { c.tracers = p } }

// WithMeterProvider sets where metrics go; default otel.GetMeterProvider().
func WithMeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// WithPropagator sets what reads the producers' contexts from the headers of records; default W3C's traceparent and tracestate.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return func(c *config) { c.propagator = p }
}

// WithConsumerGroup sets messaging.consumer.group.name; Observe sets it too, for what begins after it.
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
	// shapes are what spans and metrics of a topic have in common, by topic; latest is the one that was used last.
	shapes  sync.Map
	latest  atomic.Pointer[shape]
	settled settled
}

// New returns a Telemetry. Its error is that of a meter that refuses an instrument.
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

// Options are the options of esm.New with which a mapping is traced and measured: Middleware, innermost of those given before,
// and Hooks.
func (t *Telemetry) Options() []esm.Option {
	return []esm.Option{esm.WithMiddleware(t.Middleware()), esm.WithHooks(t.Hooks())}
}

// shape is what spans and metrics of a topic have in common; the topic is empty for batches of several. Its options are made once,
// so that a batch makes none.
type shape struct {
	group, topic, name string
	// span is what a sampler sees, and described what else a span that is recorded has: the SDK copies what it is given at the
	// start, whether it records the span or not.
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

// spanName is by the conventions: the operation, then the destination.
func spanName(operation, topic string) string {
	if topic == "" {
		return operation
	}
	return operation + " " + topic
}
