// Package histograms passes a mapping's histograms to a reader of OpenTelemetry's SDK. The mapping itself records them,
// and the API has no instrument for that:
//
//	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(histograms.New(runner)))
package histograms

import (
	"context"
	"time"

	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/series"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Source is a running mapping, such as an *esm.Runner.
type Source interface {
	Status() observe.Status
	Histograms() observe.Histograms
}

// New returns a Producer of a mapping's histograms, named "esm." and their names in package observe/series. They are
// cumulative.
func New(s Source) metric.Producer {
	status := s.Status()
	return &producer{source: s, since: time.Now(), of: attribute.NewSet(attribute.String("esm.function_name", status.FunctionName),
		attribute.String("esm.uuid", status.UUID), semconv.MessagingConsumerGroupName(status.ConsumerGroupId))}
}

type producer struct {
	source Source
	since  time.Time
	of     attribute.Set
}

// Produce returns the current histograms.
func (p *producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	h, now := p.source.Histograms(), time.Now()
	scope := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: "github.com/esm-go/esm/esmotel/histograms"}}
	for _, s := range series.Histograms() {
		one := s.Of(&h)
		scope.Metrics = append(scope.Metrics, metricdata.Metrics{Name: "esm." + s.Name, Description: s.Help, Unit: s.Unit, Data: metricdata.Histogram[float64]{
			Temporality: metricdata.CumulativeTemporality,
			DataPoints: []metricdata.HistogramDataPoint[float64]{{Attributes: p.of, StartTime: p.since, Time: now, Count: one.Count(), Bounds: one.Bounds,
				BucketCounts: one.Counts, Sum: one.Sum}},
		}})
	}
	return []metricdata.ScopeMetrics{scope}, nil
}
