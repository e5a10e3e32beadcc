package esm

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/meter"
	"github.com/esm-go/esm/internal/verdict"
)

// meters are the living Histograms. They are written once or a few times a batch, never a record.
type meters struct {
	invocation, records, fill, window, latency, commit, rebalance, destination *meter.Histogram
}

// fillUnit is a full batch in the histogram of how full batches are.
const fillUnit = 1000

func newMeters() *meters {
	// From a millisecond to Lambda's 15 minutes, which are the last bound, and two more for what is not bounded so.
	durations := durationsOf(1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 10e3, 30e3, 60e3, 120e3, 300e3, 900e3)
	ages := slices.Concat(durations, durationsOf(3600e3, 86400e3))
	fills := make([]int64, 10)
	for i := range fills {
		fills[i] = int64(i+1) * fillUnit / 10
	}
	return &meters{
		invocation: meter.New(durations...), window: meter.New(durations...), commit: meter.New(durations...), rebalance: meter.New(durations...),
		latency: meter.New(ages...), destination: meter.New(ages...), fill: meter.New(fills...),
		records: meter.New(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000), // BatchSize is 10,000 at most
	}
}

func durationsOf(milliseconds ...float64) []int64 {
	d := make([]int64, len(milliseconds))
	for i, ms := range milliseconds {
		d[i] = int64(ms * float64(time.Millisecond))
	}
	return d
}

func (m *meters) read() Histograms {
	const second = float64(time.Second)
	return Histograms{
		InvocationDuration: m.invocation.Read(second), BatchRecords: m.records.Read(1), BatchFill: m.fill.Read(fillUnit), WindowWait: m.window.Read(second),
		Latency: m.latency.Read(second), CommitDuration: m.commit.Read(second), RebalanceDuration: m.rebalance.Read(second),
		DestinationDuration: m.destination.Read(second),
	}
}

// Histograms returns how durations and sizes are distributed since the mapping began to run. Like Metrics it asks nobody.
func (r *Runner) Histograms() Histograms { return r.shared.Meters.read() }

// begun takes in that an invocation begins.
func (m *meters) begun(inv *invocation, batchSize int) {
	m.records.Add(int64(inv.Records))
	m.fill.Add(int64(inv.Records) * fillUnit / int64(max(batchSize, 1)))
	if inv.Attempt > 1 {
		return
	}
	oldest := inv.parts[0].Work[0].Arrived
	for _, p := range inv.parts[1:] {
		if at := p.Work[0].Arrived; at.Before(oldest) {
			oldest = at
		}
	}
	m.window.Add(int64(max(0, inv.started.Sub(oldest))))
}

// resolved takes in that n of some records are resolved; those that are not have none of their own, and n stands for them.
func (m *meters) resolved(now time.Time, records []event.KafkaRecord, n int) {
	if n <= 0 || records[0].Timestamp < 0 || records[len(records)-1].Timestamp < 0 {
		return
	}
	at := now.UnixMilli()
	m.latency.AddRun(n, func(i int) int64 {
		return max(0, at-records[i*len(records)/n].Timestamp) * int64(time.Millisecond)
	})
}

// unsettled notes that the assignment changes, settled that everything assigned is started.
func (m *member) unsettled(now time.Time) {
	if m.waiting.unsettled.IsZero() {
		m.waiting.unsettled = now
	}
}

func (m *member) settled(now time.Time) {
	if !m.waiting.unsettled.IsZero() {
		m.shared.Meters.rebalance.Add(int64(now.Sub(m.waiting.unsettled)))
		m.waiting.unsettled = time.Time{}
	}
}

// retryCounts are the living RetryCounts.
type retryCounts struct{ failed, partial, throttled, timeout, panicked atomic.Int64 }

func (c *retryCounts) add(inv *invocation, v verdict.Verdict) {
	n := &c.failed
	_, panicked := errors.AsType[*PanicError](inv.err)
	switch {
	case v.Outcome == verdict.Overloaded:
		n = &c.throttled
	case panicked:
		n = &c.panicked
	case errors.Is(context.Cause(inv.ctx), ErrInvocationTimeout):
		n = &c.timeout
	case v.Partial:
		n = &c.partial
	}
	n.Add(1)
}

func (c *retryCounts) read() RetryCounts {
	return RetryCounts{Failed: c.failed.Load(), Partial: c.partial.Load(), Throttled: c.throttled.Load(), Timeout: c.timeout.Load(), Panic: c.panicked.Load()}
}
