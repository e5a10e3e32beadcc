package esmotel

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// maxLinks is the most links of a span. The SDK's own limit is 128 by default.
const maxLinks = 10_000

// attempt is the number of the attempt, from 1.
const attempt = attribute.Key("esm.attempt")

// Middleware returns a middleware that traces and measures each invocation of what it wraps.
func (t *Telemetry) Middleware() esm.Middleware {
	return func(next esm.Handler) esm.Handler {
		return func(ctx context.Context, e esm.KafkaEvent) (err error) {
			began := time.Now()
			topic, one := about(&e)
			shape := t.shape(topic)
			if one != nil && len(one.Headers) > 0 {
				ctx = t.propagator.Extract(ctx, headers(one.Headers))
			}
			ctx, span := t.tracer.Start(ctx, shape.name, shape.span...)
			recording := span.IsRecording()
			if recording {
				t.describe(ctx, span, shape, &e, one)
			}
			panicked := true
			defer func() { // for a handler that panics or ends its goroutine
				if panicked {
					t.end(ctx, span, shape, began, errPanic)
				}
			}()
			err = next(ctx, e)
			panicked = false
			if recording && err == nil {
				t.settled.add(&e, span.SpanContext())
			}
			t.end(ctx, span, shape, began, err)
			return err
		}
	}
}

var errPanic = errors.New("the handler panicked or ended its goroutine")

// about returns the topic of a batch, or "" if it has several, and its record if it has only one.
func about(e *esm.KafkaEvent) (topic string, one *esm.KafkaRecord) {
	for _, records := range e.Records {
		if len(records) == 0 {
			continue
		}
		r := &records[0]
		if topic != "" && topic != r.Topic {
			return "", nil
		}
		topic = r.Topic
		if len(e.Records) == 1 && len(records) == 1 {
			one = r
		}
	}
	return topic, one
}

// describe adds to a recorded span its attributes and its links to the producers.
func (t *Telemetry) describe(ctx context.Context, span trace.Span, s *shape, e *esm.KafkaEvent, one *esm.KafkaRecord) {
	attributes := append(make([]attribute.KeyValue, 0, len(s.described)+6), s.described...)
	if inv, ok := esm.InvocationFromContext(ctx); ok {
		attributes = append(attributes, attempt.Int(inv.Attempt))
		if inv.FunctionName != "" {
			attributes = append(attributes, semconv.FaaSInvokedName(inv.FunctionName))
		}
	}
	if one != nil {
		attributes = append(attributes, semconv.MessagingKafkaOffset(int(one.Offset)))
		if one.Value == nil {
			attributes = append(attributes, semconv.MessagingKafkaMessageTombstone(true))
		}
	} else {
		attributes = append(attributes, semconv.MessagingBatchMessageCount(e.Len()))
	}
	partition, partitions, links := int32(0), 0, 0
	for _, records := range e.Records {
		if len(records) == 0 {
			continue
		}
		partitions++
		partition = records[0].Partition
		for i := range records {
			if one == nil && links < maxLinks && t.link(span, records[i].Headers) {
				links++
			}
		}
	}
	if partitions == 1 {
		attributes = append(attributes, semconv.MessagingDestinationPartitionID(strconv.Itoa(int(partition))))
	}
	span.SetAttributes(attributes...)
}

// link adds a link to the producer's span. It reports false if the record's headers name none.
func (t *Telemetry) link(span trace.Span, h []event.Header) bool {
	if len(h) == 0 {
		return false
	}
	sc := trace.SpanContextFromContext(t.propagator.Extract(context.Background(), headers(h)))
	if !sc.IsValid() {
		return false
	}
	span.AddLink(trace.Link{SpanContext: sc})
	return true
}

func (t *Telemetry) end(ctx context.Context, span trace.Span, s *shape, began time.Time, err error) {
	option := s.ok
	if err != nil {
		kind := errorType(ctx, err)
		option = s.failed[kind]
		if span.IsRecording() {
			span.SetAttributes(semconv.ErrorTypeKey.String(kind))
			span.SetStatus(codes.Error, err.Error())
		}
	}
	span.End()
	t.process.Inst().Record(ctx, time.Since(began).Seconds(), option...)
}

// errorType returns error.type for an error. There are only a few values.
func errorType(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, errPanic):
		return "panic"
	case errors.Is(context.Cause(ctx), observe.ErrInvocationTimeout):
		return "timeout"
	case errors.Is(context.Cause(ctx), observe.ErrStopping), errors.Is(context.Cause(ctx), observe.ErrPartitionsGone):
		return "interrupted"
	default:
		return "_OTHER" // the conventions' fallback
	}
}
