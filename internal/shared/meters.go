package shared

import (
	"slices"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/meter"
	"github.com/esm-go/esm/observe"
)

// Meters are the current values of Histograms. They are written once or a few times a batch, never for each record.
type Meters struct {
	Invocation, Records, Fill, Window, Latency, Commit, Rebalance, Destination *meter.Histogram
}

// FullBatch stands for a full batch in the histogram of batch fill.
const FullBatch = 1000

// NewMeters returns empty meters.
func NewMeters() *Meters {
	// From a millisecond to Lambda's 15 minutes; ages, which have no such limit, get two bounds more.
	durations := durationsOf(1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 10e3, 30e3, 60e3, 120e3, 300e3, 900e3)
	ages := slices.Concat(durations, durationsOf(3600e3, 86400e3))
	fills := make([]int64, 10)
	for i := range fills {
		fills[i] = int64(i+1) * FullBatch / 10
	}
	return &Meters{
		Invocation: meter.New(durations...), Window: meter.New(durations...), Commit: meter.New(durations...), Rebalance: meter.New(durations...),
		Latency: meter.New(ages...), Destination: meter.New(ages...), Fill: meter.New(fills...),
		Records: meter.New(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000), // BatchSize is 10,000 at most
	}
}

func durationsOf(milliseconds ...float64) []int64 {
	d := make([]int64, len(milliseconds))
	for i, ms := range milliseconds {
		d[i] = int64(ms * float64(time.Millisecond))
	}
	return d
}

// Read returns what was counted.
func (m *Meters) Read() observe.Histograms {
	const second = float64(time.Second)
	return observe.Histograms{
		InvocationDuration: m.Invocation.Read(second), BatchRecords: m.Records.Read(1), BatchFill: m.Fill.Read(FullBatch), WindowWait: m.Window.Read(second),
		Latency: m.Latency.Read(second), CommitDuration: m.Commit.Read(second), RebalanceDuration: m.Rebalance.Read(second),
		DestinationDuration: m.Destination.Read(second),
	}
}

// Resolved counts the latency of n resolved ones of records. If some are not resolved, n evenly spread records stand for
// the resolved ones.
func (m *Meters) Resolved(now time.Time, records []event.KafkaRecord, n int) {
	if n <= 0 || records[0].Timestamp < 0 || records[len(records)-1].Timestamp < 0 {
		return
	}
	at := now.UnixMilli()
	m.Latency.AddRun(n, func(i int) int64 {
		return max(0, at-records[i*len(records)/n].Timestamp) * int64(time.Millisecond)
	})
}
