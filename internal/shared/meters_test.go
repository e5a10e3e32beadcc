package shared

import (
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/event"
)

// Every field of Metrics has its own counter.
func TestCountersSnapshot(t *testing.T) {
	var c Counters
	set := make(map[int64]string)
	var fill func(v reflect.Value, name string)
	fill = func(v reflect.Value, name string) {
		if n, ok := reflect.TypeAssert[*atomic.Int64](v.Addr()); ok {
			n.Store(int64(len(set) + 1))
			set[n.Load()] = name
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name)
		}
	}
	fill(reflect.ValueOf(&c).Elem(), "")
	var read func(v reflect.Value, name string)
	read = func(v reflect.Value, name string) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				read(v.Field(i), v.Type().Field(i).Name)
			}
			return
		}
		if set[v.Int()] == "" {
			t.Errorf("%s is %d: no counter's, or another one's too", name, v.Int())
		}
		delete(set, v.Int())
	}
	read(reflect.ValueOf(c.Snapshot()), "")
	for _, name := range set {
		if name != "Resolved" && name != "InvocationTime" { // the scaler's
			t.Errorf("%s is not told", name)
		}
	}
}

// Resolved counts the ages of the first records. Records without timestamps do not count, and the age of one whose timestamp
// is in the future is 0.
func TestResolved(t *testing.T) {
	now := time.UnixMilli(1_000_000_000)
	record := func(age time.Duration) event.KafkaRecord {
		return event.KafkaRecord{Timestamp: now.Add(-age).UnixMilli()}
	}
	for name, c := range map[string]struct {
		records []event.KafkaRecord
		n       int
		count   uint64
		sum     float64 // seconds
	}{
		"one":             {[]event.KafkaRecord{record(2 * time.Second)}, 1, 1, 2},
		"of one age":      {[]event.KafkaRecord{record(2 * time.Second), record(2 * time.Second), record(2 * time.Second)}, 3, 3, 6},
		"in part":         {[]event.KafkaRecord{record(2 * time.Second), record(2 * time.Second), record(2 * time.Second)}, 2, 2, 4},
		"none":            {[]event.KafkaRecord{record(2 * time.Second)}, 0, 0, 0},
		"none of none":    {nil, 0, 0, 0},
		"none at first":   {[]event.KafkaRecord{{Timestamp: -1}, record(time.Second)}, 2, 0, 0},
		"of the future":   {[]event.KafkaRecord{record(-time.Hour)}, 1, 1, 0},
		"no timestamps":   {[]event.KafkaRecord{{Timestamp: -1}}, 1, 0, 0},
		"none at the end": {[]event.KafkaRecord{record(time.Second), {Timestamp: -1}}, 2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMeters()
			m.Resolved(now, c.records, c.n)
			got := m.Read().Latency
			if got.Count() != c.count || got.Sum != c.sum {
				t.Errorf("%d values, of %v s; want %d, of %v s", got.Count(), got.Sum, c.count, c.sum)
			}
		})
	}
}

// Each histogram is read under its own name and in its unit: seconds, records, or the fraction of a full batch.
func TestMetersRead(t *testing.T) {
	m := NewMeters()
	m.Invocation.Add(int64(1 * time.Second))
	m.Window.Add(int64(2 * time.Second))
	m.Commit.Add(int64(3 * time.Second))
	m.Rebalance.Add(int64(4 * time.Second))
	m.Destination.Add(int64(5 * time.Second))
	m.Latency.Add(int64(6 * time.Second))
	m.Records.Add(7)
	m.Fill.Add(FullBatch / 2)
	h := m.Read()
	for name, c := range map[string]struct{ got, want float64 }{
		"InvocationDuration": {h.InvocationDuration.Sum, 1}, "WindowWait": {h.WindowWait.Sum, 2}, "CommitDuration": {h.CommitDuration.Sum, 3},
		"RebalanceDuration": {h.RebalanceDuration.Sum, 4}, "DestinationDuration": {h.DestinationDuration.Sum, 5}, "Latency": {h.Latency.Sum, 6},
		"BatchRecords": {h.BatchRecords.Sum, 7}, "BatchFill": {h.BatchFill.Sum, 0.5},
	} {
		if c.got != c.want {
			t.Errorf("%s is %v, want %v", name, c.got, c.want)
		}
	}
	if last := len(h.BatchRecords.Bounds) - 1; h.BatchRecords.Bounds[last] != 10_000 || h.BatchFill.Bounds[len(h.BatchFill.Bounds)-1] != 1 {
		t.Error("the largest batch of AWS's and a full one are not the last bounds")
	}
	if last := len(h.InvocationDuration.Bounds) - 1; h.InvocationDuration.Bounds[last] != 900 {
		t.Error("Lambda's 15 minutes are not the last bound of InvocationDuration")
	}
}
