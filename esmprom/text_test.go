package esmprom_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmprom"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/promtext"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// frozen is a mapping that does not change.
type frozen struct{ s observe.Status }

func (s frozen) Status() observe.Status { return s.s }

// Histograms returns one without values, one with values in every bucket, and others.
func (frozen) Histograms() observe.Histograms {
	h := func(counts ...uint64) observe.Histogram {
		return observe.Histogram{Bounds: []float64{0.0025, 1, 900}, Counts: counts, Sum: 1234.5}
	}
	none := h(0, 0, 0, 0)
	none.Sum = 0
	return observe.Histograms{InvocationDuration: h(1, 2, 3, 4), BatchRecords: none, BatchFill: h(0, 0, 0, 1), WindowWait: h(1, 0, 0, 0),
		Latency: h(0, 5, 0, 0), CommitDuration: h(1, 1, 1, 1), RebalanceDuration: h(0, 0, 7, 0), DestinationDuration: h(1<<40, 0, 0, 0)}
}

// TestText parses what esm serve answers with Prometheus' parser, and compares it with the Collector of the same
// mappings.
func TestText(t *testing.T) {
	synctest.Test(t, compareText) // ages do not change in a bubble
}

func compareText(t *testing.T) {
	second := time.UnixMilli(1_700_000_000_123)
	all := []observe.Status{
		{FunctionName: "orders", ConsumerGroupId: "g", UUID: "u1", Driver: "franz", State: observe.Enabled},
		{
			FunctionName: `a"b\c`, ConsumerGroupId: "two\nlines", UUID: "ü", Driver: "confluent", State: observe.Disabling, CircuitOpen: true, Pollers: 2, Workers: 7,
			InFlight: 3, OldestAge: 1500 * time.Millisecond, MaxOffsetLag: 5, SumOffsetLag: 9, BufferedBytes: 1 << 40, BufferLimit: 3,
			OffsetLag: map[string]int64{"t": 4, "s.x": 5}, Scaling: observe.ScalingStatus{Policy: "p", Target: scaling.Capacity{Workers: 3, Pollers: 2}},
			Slow: make([]observe.SlowInvocation, 2), Destination: observe.DestinationStatus{SenderStatus: destination.SenderStatus{Pending: 4, Failing: 3}},
			Metrics: observe.Metrics{
				PolledEventCount: 1, FilteredOutEventCount: 2, WrongKindEventCount: 3, InvokedEventCount: 4, FailedInvokeEventCount: 5, DroppedEventCount: 6,
				SkippedEventCount: 7, OnFailureDestinationDeliveredEventCount: 17, OnFailureDestinationDeliveryErrorCount: 18, Retries: observe.RetryCounts{Failed: 1, Partial: 2, Throttled: 3, Timeout: 4, Panic: 5}, CommittedEventCount: 8, PollingErrorCount: 9, CommitErrorCount: 10, InvokeErrorCount: 11, InvokeCount: 12, ThrottleCount: 13,
				LostEventCount: 14, AbandonedCommitCount: 15, RebalanceCount: 16,
			},
			Credentials: observe.CredentialsStatus{Expires: second, Since: second, Rotations: 2, Err: errors.New("no")},
			Conditions:  []observe.Condition{{Op: observe.OpPoll, Kind: "k"}, {Op: observe.OpPoll, Kind: "k"}, {Op: observe.OpCommit, Kind: `"`}},
			Partitions: []observe.PartitionStatus{
				{TopicPartition: event.TopicPartition{Topic: "t"}, Paused: "paused", Attempts: 1}, {TopicPartition: event.TopicPartition{Topic: "t", Partition: 1}},
			},
		},
	}
	var text bytes.Buffer
	var sources []promtext.Source
	for _, s := range append(slices.Clone(all), all[0]) { // one of them twice
		sources = append(sources, frozen{s})
	}
	if err := promtext.Write(&text, sources); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	got, err := parser.TextToMetricFamilies(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(esmprom.NewOf(func() (sources []esmprom.Source) {
		for _, s := range all {
			sources = append(sources, frozen{s})
		}
		return sources
	}))
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]*dto.MetricFamily)
	for _, f := range gathered {
		want[f.GetName()] = f
	}
	for name, f := range got {
		w := want[name]
		if w == nil {
			t.Errorf("%s is not among the Collector's", name)
			continue
		}
		if f.GetType() != w.GetType() || f.GetHelp() != w.GetHelp() {
			t.Errorf("%s: %v %q, the Collector has %v %q", name, f.GetType(), f.GetHelp(), w.GetType(), w.GetHelp())
		}
		if g, w := samplesOf(f), samplesOf(w); !slices.Equal(g, w) {
			t.Errorf("%s: %q, the Collector has %q", name, g, w)
		}
	}
	for name := range want {
		if got[name] == nil {
			t.Errorf("%s is the Collector's alone", name)
		}
	}
}

func samplesOf(f *dto.MetricFamily) (lines []string) {
	for _, m := range f.GetMetric() {
		labels := make([]string, 0, 5)
		for _, l := range m.GetLabel() {
			labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
		}
		slices.Sort(labels)
		h := m.GetHistogram()
		for _, b := range h.GetBucket() {
			if !math.IsInf(b.GetUpperBound(), 1) { // the text has this bucket, the Collector only the count
				lines = append(lines, fmt.Sprint(labels, "le", b.GetUpperBound(), b.GetCumulativeCount()))
			}
		}
		lines = append(lines, fmt.Sprint(labels, m.GetCounter().GetValue(), m.GetGauge().GetValue(), h.GetSampleCount(), h.GetSampleSum()))
	}
	slices.Sort(lines)
	return lines
}
