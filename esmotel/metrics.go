package esmotel

import (
	"context"
	"errors"
	"strings"

	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/series"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
)

// Source is one mapping that runs. *esm.Runner is one.
type Source interface {
	Status() observe.Status
	Metrics() observe.Metrics
}

// Observe has the meter read a mapping's Status and Metrics at each collection, and at no other time: all of package
// observe/series but its histograms, which package esmotel/histograms has, under "esm." and their names, and
// messaging.client.consumed.messages. It sets the consumer group of spans, too. What it returns ends that.
func (t *Telemetry) Observe(s Source) (stop func() error, err error) {
	status := s.Status()
	if group := status.ConsumerGroupId; group != "" {
		t.group.Store(&group)
	}
	r := &reader{source: s, of: attribute.NewSet(attribute.String("esm.function_name", status.FunctionName), attribute.String("esm.uuid", status.UUID),
		semconv.MessagingConsumerGroupName(status.ConsumerGroupId))}
	var instruments []metric.Observable
	keep := func(i metric.Observable, e error) {
		instruments, err = append(instruments, i), errors.Join(err, e)
	}
	name := func(s *series.Series) string { return "esm." + s.Name }
	for _, c := range series.Counters() {
		i, e := t.meter.Int64ObservableCounter(name(&c.Series), metric.WithUnit(c.Unit), metric.WithDescription(c.Help))
		keep(i, e)
		r.counters = append(r.counters, counter{c, i})
	}
	for _, g := range series.Gauges() {
		i, e := t.meter.Float64ObservableGauge(name(&g.Series), metric.WithUnit(g.Unit), metric.WithDescription(g.Help))
		keep(i, e)
		r.gauges = append(r.gauges, gauge{g, i})
	}
	var e error
	r.retries, e = t.meter.Int64ObservableCounter("esm.retries", metric.WithUnit("{retry}"), metric.WithDescription("Parts of batches that were set down to be tried again, by what the try before ended with"))
	keep(r.retries, e)
	r.lag, e = t.meter.Int64ObservableGauge("esm.offset_lag", metric.WithUnit("{offset}"), metric.WithDescription("Log end less committed offset, summed over this process's partitions of a topic"))
	keep(r.lag, e)
	r.state, e = t.meter.Int64ObservableGauge("esm.state", metric.WithUnit("1"), metric.WithDescription("Is 1, with the state that the mapping has"))
	keep(r.state, e)
	r.reason, e = t.meter.Int64ObservableGauge("esm.scaling_reason", metric.WithUnit("1"), metric.WithDescription("Is 1, with the reason of the last decision of the scaling policy"))
	keep(r.reason, e)
	r.conditions, e = t.meter.Int64ObservableGauge("esm.conditions", metric.WithUnit("{condition}"), metric.WithDescription("What is wrong and goes on being wrong, by what was being done and how it fails"))
	keep(r.conditions, e)
	r.certificate, e = t.meter.Int64ObservableGauge("esm.certificate_days_left", metric.WithUnit("d"), metric.WithDescription("Whole days until the client's certificate or the last CA ends; absent without certificates"))
	keep(r.certificate, e)
	consumed, e := messagingconv.NewClientConsumedMessagesObservable(t.meter)
	r.consumed = consumed.Inst()
	keep(r.consumed, e)
	if err != nil {
		return nil, err
	}
	registration, err := t.meter.RegisterCallback(r.read, instruments...)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

type counter struct {
	series.Counter
	metric.Int64ObservableCounter
}

type gauge struct {
	series.Gauge
	metric.Float64ObservableGauge
}

// reader reads one mapping at each collection.
type reader struct {
	source   Source
	of       attribute.Set
	counters []counter
	gauges   []gauge

	retries, consumed                           metric.Int64ObservableCounter
	lag, state, reason, conditions, certificate metric.Int64ObservableGauge
}

func (r *reader) read(_ context.Context, o metric.Observer) error {
	s, m := r.source.Status(), r.source.Metrics()
	of := metric.WithAttributeSet(r.of)
	for i := range r.counters {
		o.ObserveInt64(r.counters[i].Int64ObservableCounter, r.counters[i].Of(&s, &m), of)
	}
	for i := range r.gauges {
		o.ObserveFloat64(r.gauges[i].Float64ObservableGauge, r.gauges[i].Of(&s), of)
	}
	for _, reason := range series.Retries() {
		o.ObserveInt64(r.retries, reason.Of(&m.Retries), of, metric.WithAttributes(attribute.String("reason", reason.Reason)))
	}
	for topic, lag := range s.OffsetLag {
		o.ObserveInt64(r.lag, lag, of, metric.WithAttributes(semconv.MessagingDestinationName(topic)))
	}
	o.ObserveInt64(r.state, 1, of, metric.WithAttributes(attribute.String("state", string(s.State))))
	if s.Scaling.Policy != "" {
		o.ObserveInt64(r.reason, 1, of, metric.WithAttributes(attribute.String("reason", s.Scaling.Reason.Kind.String())))
	}
	type what struct{ op, kind string }
	standing := make(map[what]int64)
	for i := range s.Conditions {
		standing[what{string(s.Conditions[i].Op), strings.ToLower(s.Conditions[i].Kind)}]++
	}
	for w, n := range standing {
		o.ObserveInt64(r.conditions, n, of, metric.WithAttributes(attribute.String("op", w.op), attribute.String("kind", w.kind)))
	}
	if !s.Credentials.Expires.IsZero() {
		o.ObserveInt64(r.certificate, int64(s.Credentials.DaysLeft), of)
	}
	o.ObserveInt64(r.consumed, m.PolledEventCount, of, metric.WithAttributes(semconv.MessagingSystemKafka, semconv.MessagingOperationName("poll")))
	return nil
}
