package esmprom_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmprom"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/observe"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

// scrape returns every sample by its name and its labels, without the mapping's own labels.
func scrape(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			value := m.GetGauge().GetValue()
			if f.GetType() == dto.MetricType_COUNTER {
				value = m.GetCounter().GetValue()
			}
			name := f.GetName()
			if f.GetType() == dto.MetricType_HISTOGRAM {
				value = float64(m.GetHistogram().GetSampleCount())
			}
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "function_name", "consumer_group", "uuid":
				default:
					name += " " + l.GetName() + "=" + l.GetValue()
				}
			}
			samples[name] = value
		}
	}
	return samples
}

func TestScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := esmtest.NewBroker(t)
		b.CreateTopic("t", 1)
		m := esm.Mapping{
			FunctionName: "f", UUID: "8a1d4bd6-7d1b-4f5c-9a53-0c9a5c1b2d3e", Topics: []string{"t"}, StartingPosition: "TRIM_HORIZON", MaximumRetryAttempts: new(1),
			FilterCriteria: &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":{"keep":[true]}}`}}},
		}
		calls, handed := 0, 0
		var since time.Time // when the handler started to be held
		hold := make(chan struct{})
		r := esmtest.Start(t, b, m, func(_ context.Context, e esm.KafkaEvent) error {
			handed += len(e.Records["t-0"])
			switch calls++; calls {
			case 1:
				return esm.Throttled(errors.New("slow down"))
			case 2, 3:
				return errors.New("no")
			case 5:
				since = time.Now()
				<-hold
			}
			return nil
		})
		<-r.Ready()
		b.Produce("t", esmtest.Values(`{"keep":true}`, `{"keep":false}`, "text", `{"keep":true}`)...)
		time.Sleep(10 * time.Second) // throttled, failed, failed and dropped
		b.Fail(membroker.OpCommit, 2, errors.New("not now"))
		b.Produce("t", esmtest.Values(`{"keep":true}`)...)
		time.Sleep(10 * time.Second)
		b.Report("", &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("gone")})
		b.Produce("t", esmtest.Values(`{"keep":true}`)...)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		group := r.Runner().Status().ConsumerGroupId
		got := scrape(t, esmprom.New(r.Runner(), esmprom.WithPartitions()))
		want := map[string]float64{
			"esm_polled_records_total": 6, "esm_filtered_out_records_total": 2, "esm_wrong_kind_records_total": 1,
			"esm_invoked_records_total": float64(handed), "esm_failed_invoke_records_total": 6, "esm_dropped_records_total": 2,
			"esm_committed_offsets_total": float64(b.Committed(group, "t", 0).Offset), "esm_polling_errors_total": 1, "esm_commit_errors_total": 2,
			"esm_invoke_errors_total": 3, "esm_invocations_total": 4, "esm_throttled_invocations_total": 1, "esm_rebalances_total": 1,
			"esm_state state=Enabled": 1, "esm_state state=Disabled": 0, "esm_assigned_partitions": 1, "esm_invocations_in_flight": 1,
			"esm_workers": 1, "esm_pollers": 1, "esm_offset_lag topic=t": 1, "esm_max_offset_lag": 1, "esm_sum_offset_lag": 1,
			"esm_retries_total reason=throttled": 1, "esm_retries_total reason=failed": 1, "esm_retries_total reason=panic": 0,
			"esm_invocation_duration_seconds": 4, "esm_batch_records": 5, "esm_batch_fill": 5, "esm_window_wait_seconds": 3, "esm_record_latency_seconds": 3,
			"esm_rebalance_duration_seconds": 1, "esm_scaling_reason reason=" + r.Runner().Status().Scaling.Reason.Kind.String(): 1,
			"esm_longest_invocation_seconds": time.Since(since).Seconds(), "esm_partition_end_offset partition=0 topic=t": 6,
			"esm_partition_committed_offset partition=0 topic=t": 5, "esm_partition_offset_lag partition=0 topic=t": 1,
		}
		for name, value := range want {
			if v, ok := got[name]; !ok || v != value {
				t.Errorf("%s: %v (there: %t), want %v", name, v, ok, value)
			}
		}
		if handed == 0 || got["esm_buffered_bytes"] <= 0 || got["esm_oldest_record_age_seconds"] != 5 {
			t.Errorf("handed %d, buffered %v, oldest %v", handed, got["esm_buffered_bytes"], got["esm_oldest_record_age_seconds"])
		}
		close(hold)
	})
}

func TestLostOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := esmtest.NewBroker(t)
		b.Produce("t", esmtest.Values("0", "1", "2", "3", "4", "5")...)
		b.DeleteRecords("t", 0, 4)
		m := esm.Mapping{FunctionName: "f", Topics: []string{"t"}, SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: "g"}}
		b.SetCommitted("g", "t", 0, 1, "")
		r := esmtest.Start(t, b, m, func(context.Context, esm.KafkaEvent) error { return nil })
		<-r.Ready()
		time.Sleep(3 * time.Second)
		if got := scrape(t, esmprom.New(r.Runner()))["esm_lost_offsets_total"]; got != 3 {
			t.Errorf("lost %v offsets, want those from 1 to 4", got)
		}
	})
}

func TestAbandonedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := esmtest.NewBroker(t)
		b.Produce("t", esmtest.Values("0")...)
		began := make(chan struct{})
		m := esm.Mapping{FunctionName: "f", Topics: []string{"t"}, StartingPosition: "TRIM_HORIZON"}
		r := esmtest.Start(nil, b, m, func(ctx context.Context, _ esm.KafkaEvent) error {
			close(began)
			time.Sleep(5 * time.Second)
			return nil
		})
		<-began
		release := b.Hang(membroker.OpCommit)
		var stuck *observe.StuckError
		if err := r.Stop(); !errors.As(err, &stuck) {
			t.Errorf("Stop: %v, want the commit that was left behind", err)
		}
		if got := scrape(t, esmprom.New(r.Runner()))["esm_abandoned_commits_total"]; got == 0 {
			t.Error("the commit left behind is not counted")
		}
		release()
	})
}

// still is a Source that does not change.
type still struct{ s observe.Status }

func (s still) Status() observe.Status { return s.s }
func (s still) Histograms() observe.Histograms {
	h := observe.Histogram{Bounds: []float64{1, 2}, Counts: []uint64{3, 2, 1}, Sum: 9}
	return observe.Histograms{InvocationDuration: h, BatchRecords: h, BatchFill: h, WindowWait: h, Latency: h, CommitDuration: h, RebalanceDuration: h, DestinationDuration: h}
}

// full returns a Status with n partitions in which every field is set.
func full(n int) observe.Status {
	s := observe.Status{
		FunctionName: "f", ConsumerGroupId: "g", UUID: "u", Driver: "franz", State: observe.Enabled, CircuitOpen: true,
		OffsetLag:   map[string]int64{"t": 1},
		Credentials: observe.CredentialsStatus{Since: time.Unix(10, 0), Expires: time.Unix(20, 500_000_000), Rotations: 3, Err: errors.New("refused: hunter2")},
		Conditions: []observe.Condition{
			{Op: observe.OpPoll, Kind: "unavailable", Err: errors.New("hunter2")}, {Op: observe.OpPoll, Kind: "unavailable"}, {Op: observe.OpCommit, Kind: "other"},
		},
	}
	for i := range n {
		s.Partitions = append(s.Partitions, observe.PartitionStatus{TopicPartition: driver.TopicPartition{Topic: "t", Partition: int32(i)}, Position: -1, Committed: -1, End: -1, Lag: -1, Attempts: 1, Paused: "paused"})
	}
	return s
}

func TestWhatStands(t *testing.T) {
	got := scrape(t, esmprom.New(still{full(2)}, esmprom.WithPartitions()))
	for name, want := range map[string]float64{
		"esm_conditions kind=unavailable op=poll": 2, "esm_conditions kind=other op=commit": 1, "esm_circuit_open": 1,
		"esm_credentials_refused": 1, "esm_credentials_rotations_total": 3, "esm_certificate_expiry_timestamp_seconds": 20.5,
		"esm_credentials_since_timestamp_seconds": 10, "esm_paused_partitions": 2, "esm_failing_partitions": 2, "esm_info driver=franz": 1,
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "esm_partition_position") || strings.Contains(name, "hunter2") {
			t.Errorf("%s is there", name)
		}
	}
}

func TestSeriesAreBounded(t *testing.T) {
	few, many := scrape(t, esmprom.New(still{full(1)})), scrape(t, esmprom.New(still{full(1000)}))
	if len(few) != len(many) {
		t.Errorf("%d series of one partition, %d of a thousand", len(few), len(many))
	}
	if n := len(scrape(t, esmprom.New(still{full(1000)}, esmprom.WithPartitions()))); n <= 2000 {
		t.Errorf("%d series with those of partitions", n)
	}
}

func TestManySources(t *testing.T) {
	a, b := full(1), full(1)
	b.UUID = "v"
	sources := []esmprom.Source{still{a}, still{b}}
	c := esmprom.NewOf(func() []esmprom.Source { return sources })
	if n := testutil.CollectAndCount(c, "esm_polled_records_total"); n != 2 {
		t.Errorf("%d series of two mappings", n)
	}
	sources = sources[:1]
	if n := testutil.CollectAndCount(c, "esm_polled_records_total"); n != 1 {
		t.Errorf("%d series of the one that is left", n)
	}
}

func TestLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(esmprom.New(still{full(1)}, esmprom.WithPartitions()))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// exported returns the names of all possible series.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	s := full(1)
	p := &s.Partitions[0]
	p.Position, p.Committed, p.End, p.Lag = 0, 0, 0, 0
	names := make(map[string]bool)
	for name := range maps.Keys(scrape(t, esmprom.New(still{s}, esmprom.WithPartitions()))) {
		var only string
		if _, err := fmt.Sscan(name, &only); err != nil {
			t.Fatal(err)
		}
		names[only] = true
		for _, part := range []string{"_bucket", "_sum", "_count"} { // of a histogram
			names[only+part] = true
		}
	}
	return names
}
