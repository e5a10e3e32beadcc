package esmotel

import (
	"context"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/event"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// settledMost is the most batch spans that wait for their commit, and so the most links of a commit. It is the SDK's
// own limit.
const settledMost = 128

// settled holds the recorded spans of batches that are handled but not yet committed, oldest first.
type settled struct {
	mu   sync.Mutex
	list []handled
}

// handled is one partition's part of a batch with a span.
type handled struct {
	event.TopicPartition
	last int64
	span trace.SpanContext
}

func (s *settled) add(e *esm.KafkaEvent, span trace.SpanContext) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, records := range e.Records {
		if n := len(records); n > 0 && len(s.list) < settledMost {
			last := &records[n-1]
			s.list = append(s.list, handled{event.TopicPartition{Topic: last.Topic, Partition: last.Partition}, last.Offset, span})
		}
	}
}

// take removes the spans that a commit settles and returns links to them.
func (s *settled) take(offsets map[event.TopicPartition]int64) (links []trace.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return nil
	}
	seen := make(map[trace.SpanID]bool)
	left := s.list[:0]
	for _, h := range s.list {
		if at, ok := offsets[h.TopicPartition]; !ok || at <= h.last {
			left = append(left, h)
			continue
		}
		if id := h.span.SpanID(); !seen[id] {
			seen[id] = true
			links = append(links, trace.Link{SpanContext: h.span})
		}
	}
	clear(s.list[len(left):])
	s.list = left
	return links
}

// forget removes the spans of partitions that are no longer assigned.
func (s *settled) forget(parts []event.TopicPartition) {
	offsets := make(map[event.TopicPartition]int64, len(parts))
	for _, tp := range parts {
		offsets[tp] = 1<<63 - 1
	}
	s.take(offsets)
}

// Hooks returns hooks that trace and measure commits. A sampled commit has its own span, with links to the recorded
// spans of the batches that it settles.
func (t *Telemetry) Hooks() esm.Hooks {
	forget := func(i esm.AssignmentInfo) { t.settled.forget(i.Partitions) }
	return esm.Hooks{Commit: t.commit, Revoked: forget, Lost: forget}
}

func (t *Telemetry) commit(i esm.CommitInfo) {
	end := time.Now()
	topic, several := "", false
	for tp := range i.Offsets {
		several = several || topic != "" && topic != tp.Topic
		topic = tp.Topic
	}
	if several {
		topic = ""
	}
	common := []attribute.KeyValue{semconv.MessagingSystemKafka, semconv.MessagingOperationName("commit"), semconv.MessagingOperationTypeSettle}
	if topic != "" {
		common = append(common, semconv.MessagingDestinationName(topic))
	}
	if group := *t.group.Load(); group != "" {
		common = append(common, semconv.MessagingConsumerGroupName(group))
	}
	if i.Err != nil {
		common = append(common, semconv.ErrorTypeOther)
	}
	ctx, span := t.tracer.Start(context.Background(), spanName("commit", topic), trace.WithNewRoot(), trace.WithTimestamp(end.Add(-i.Duration)),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(common...))
	if i.Err == nil {
		for _, link := range t.settled.take(i.Offsets) {
			span.AddLink(link)
		}
	} else if span.IsRecording() {
		span.SetStatus(codes.Error, i.Err.Error())
	}
	span.End(trace.WithTimestamp(end))
	t.operation.Inst().Record(ctx, i.Duration.Seconds(), metric.WithAttributes(common...))
}
