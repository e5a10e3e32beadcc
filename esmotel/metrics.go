package esmotel

import (
	"context"
	"errors"

	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/series"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
)

// Source is a running mapping, such as an *esm.Runner.
type Source interface {
	Status() observe.Status
}

// Observe makes the meter read a mapping's Status at each collection, and at no other time. It exports all series of
// package observe/series except the histograms (see package esmotel/histograms), with "esm." before their names, and
// messaging.client.consumed.messages. It also sets the consumer group of spans. The returned function ends the
// observation.
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
	for _, l := range series.AllLabelled() {
		one := labelled{series: l, keys: make([]attribute.Key, len(l.Labels))}
		for i, label := range l.Labels {
			one.keys[i] = attribute.Key(label)
			if label == series.LabelTopic {
				one.keys[i] = semconv.MessagingDestinationNameKey
			}
		}
		var e error
		if l.Rises {
			one.observable, e = t.meter.Float64ObservableCounter(name(&l.Series), metric.WithUnit(l.Unit), metric.WithDescription(l.Help))
		} else {
			one.observable, e = t.meter.Float64ObservableGauge(name(&l.Series), metric.WithUnit(l.Unit), metric.WithDescription(l.Help))
		}
		keep(one.observable, e)
		r.labelled = append(r.labelled, one)
	}
	var e error
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

type labelled struct {
	series     series.Labelled
	keys       []attribute.Key
	observable metric.Float64Observable
}

// reader reads one mapping at each collection.
type reader struct {
	source   Source
	of       attribute.Set
	counters []counter
	gauges   []gauge
	labelled []labelled

	consumed    metric.Int64ObservableCounter
	certificate metric.Int64ObservableGauge
}

func (r *reader) read(_ context.Context, o metric.Observer) error {
	s := r.source.Status()
	of := metric.WithAttributeSet(r.of)
	for i := range r.counters {
		o.ObserveInt64(r.counters[i].Int64ObservableCounter, r.counters[i].Of(&s), of)
	}
	for i := range r.gauges {
		o.ObserveFloat64(r.gauges[i].Float64ObservableGauge, r.gauges[i].Of(&s), of)
	}
	for i := range r.labelled {
		l := &r.labelled[i]
		l.series.Each(&s, func(v float64, values ...string) {
			more := make([]attribute.KeyValue, len(values))
			for j, value := range values {
				more[j] = l.keys[j].String(value)
			}
			o.ObserveFloat64(l.observable, v, of, metric.WithAttributes(more...))
		})
	}
	if !s.Credentials.Expires.IsZero() {
		o.ObserveInt64(r.certificate, int64(s.Credentials.DaysLeft), of)
	}
	o.ObserveInt64(r.consumed, s.Metrics.PolledEventCount, of, metric.WithAttributes(semconv.MessagingSystemKafka, semconv.MessagingOperationName("poll")))
	return nil
}
