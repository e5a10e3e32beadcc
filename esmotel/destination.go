package esmotel

import (
	"context"
	"fmt"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Destination wraps an on-failure destination, for WithDestination: each Send is measured and has a span of kind
// producer, with links to the spans of the records' producers. Check, Close and ReplaceCredentials still work.
func (t *Telemetry) Destination(to destination.Destination) destination.Destination {
	name := "destination"
	if named, ok := to.(fmt.Stringer); ok {
		name = named.String()
	}
	return &traced{t: t, to: to, name: name}
}

// Resolver wraps the Resolver of WithDestinations. It wraps its destinations as Destination does.
func (t *Telemetry) Resolver(of destination.Resolver) destination.Resolver { return resolver{t, of} }

type resolver struct {
	t  *Telemetry
	of destination.Resolver
}

// Resolve returns the wrapped destination.
func (r resolver) Resolve(ctx context.Context, name string, source destination.Source) (destination.Destination, error) {
	to, err := r.of.Resolve(ctx, name, source)
	if err != nil {
		return nil, err
	}
	return &traced{t: r.t, to: to, name: name}, nil
}

type traced struct {
	t    *Telemetry
	to   destination.Destination
	name string
}

// String returns the destination's name.
func (d *traced) String() string { return d.name }

// Send calls the destination's Send and traces it.
func (d *traced) Send(ctx context.Context, f *destination.Failure) error {
	began := time.Now()
	common := []attribute.KeyValue{semconv.MessagingOperationName("send"), semconv.MessagingOperationTypeSend, semconv.MessagingDestinationName(d.name)}
	ctx, span := d.t.tracer.Start(ctx, spanName("send", d.name), trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(common...))
	recording := span.IsRecording()
	if recording {
		span.SetAttributes(semconv.MessagingBatchMessageCount(f.Len()), attribute.String("esm.condition", string(f.Condition)))
		for _, records := range f.Event.Records {
			for i := range records {
				d.t.link(span, records[i].Headers)
			}
		}
	}
	err := d.to.Send(ctx, f)
	if err != nil {
		common = append(common, semconv.ErrorTypeOther)
		if recording {
			span.SetAttributes(semconv.ErrorTypeOther)
			span.SetStatus(codes.Error, err.Error())
		}
	}
	span.End()
	with := metric.WithAttributes(common...)
	d.t.operation.Inst().Record(ctx, time.Since(began).Seconds(), with)
	if err == nil {
		d.t.sent.Inst().Add(ctx, 1, with)
	}
	return err
}

// Check calls the destination's Check, if it has one.
func (d *traced) Check(ctx context.Context) error {
	if c, ok := d.to.(destination.Checker); ok {
		return c.Check(ctx)
	}
	return nil
}

// Close closes the destination, if it is a Closer.
func (d *traced) Close(ctx context.Context) error {
	if c, ok := d.to.(destination.Closer); ok {
		return c.Close(ctx)
	}
	return nil
}

// ReplaceCredentials passes credentials to the destination, if it is a Replacer.
func (d *traced) ReplaceCredentials(c *auth.Credentials) error {
	if r, ok := d.to.(destination.Replacer); ok {
		return r.ReplaceCredentials(c)
	}
	return nil
}
