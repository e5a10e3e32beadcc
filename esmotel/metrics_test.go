package esmotel_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmotel"
	"github.com/esm-go/esm/esmotel/histograms"
	"github.com/esm-go/esm/observe/series"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// collected returns the sum of all points of each metric, and for a histogram the number of values.
func collected(t *testing.T, r *metric.ManualReader) map[string]float64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			got[m.Name] += 0
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					got[m.Name] += float64(p.Value)
				}
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					got[m.Name] += p.Value
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					got[m.Name] += float64(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					got[m.Name] += p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					got[m.Name] += float64(p.Count)
				}
			default:
				t.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	return got
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := new(late)
		reader := metric.NewManualReader(metric.WithProducer(source))
		meters := metric.NewMeterProvider(metric.WithReader(reader))
		calls := 0
		r := start(t, sdk.NeverSample(), esm.Mapping{}, func(context.Context, esm.KafkaEvent) error {
			if calls++; calls == 1 {
				return errors.New("no")
			}
			return nil
		}, nil, esmotel.WithMeterProvider(meters))
		source.Producer = histograms.New(r.runner.Runner())
		r.broker.Produce("t", produced(1))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		got, m := collected(t, reader), r.runner.Runner().Metrics()
		for name, want := range map[string]float64{
			"esm.polled_records": 1, "esm.invoked_records": 2, "esm.failed_invoke_records": 1, "esm.invoke_errors": 1, "esm.invocations": 2, "esm.retries": 1,
			"esm.committed_offsets": float64(m.CommittedEventCount), "esm.rebalances": 1, "esm.state": 1, "esm.assigned_partitions": 2, "esm.workers": 2,
			"messaging.client.consumed.messages": 1, "messaging.process.duration": 2, "esm.invocation_duration": 2, "esm.record_latency": 1, "esm.scaling_reason": 1,
		} {
			if v, there := got[name]; v != want || !there {
				t.Errorf("%s: %v (there: %t), want %v", name, v, there, want)
			}
		}
		if got["messaging.client.operation.duration"] == 0 || m.CommittedEventCount != 1 {
			t.Error("no commit was measured")
		}
		for _, s := range series.Counters() {
			if _, there := got["esm."+s.Name]; !there {
				t.Errorf("%s is not collected", s.Name)
			}
		}
		for _, s := range series.Gauges() {
			if _, there := got["esm."+s.Name]; !there {
				t.Errorf("%s is not collected", s.Name)
			}
		}
		for _, s := range series.AllLabelled() {
			// There are neither conditions nor certificates.
			if _, there := got["esm."+s.Name]; there == slices.Contains([]string{"conditions", "certificate_expiry_timestamp"}, s.Name) {
				t.Errorf("%s is collected: %t", s.Name, there)
			}
		}
		for _, s := range series.Histograms() {
			if _, there := got["esm."+s.Name]; !there || strings.Contains(s.Name, ".") {
				t.Errorf("%s is not collected", s.Name)
			}
		}
	})
}

// late is a Producer that is set later.
type late struct{ metric.Producer }

func (l *late) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	if l.Producer == nil {
		return nil, nil
	}
	return l.Producer.Produce(ctx)
}
