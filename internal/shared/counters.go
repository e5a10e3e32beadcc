package shared

import (
	"sync/atomic"

	"github.com/esm-go/esm/observe"
)

// Counters are the current values of Metrics. Several goroutines write them.
type Counters struct {
	Polled, Filtered, WrongKind, Invoked, Failed, Dropped, Committed atomic.Int64
	PollErrors, CommitErrors, InvokeErrors, Invokes, Throttles, Lost atomic.Int64
	AbandonedCommits, Rebalances, Delivered, DeliveryErrors, Skipped atomic.Int64
	Retries                                                          RetryCounts

	// For the scaler: records that workers resolved, and the time of invocations that were not throttled.
	Resolved, InvocationTime atomic.Int64
	// Gauges, as of the last evaluation.
	MaxLag, SumLag, Pollers, Workers atomic.Int64
}

// Snapshot reads the counters one by one.
func (c *Counters) Snapshot() observe.Metrics {
	return observe.Metrics{
		PolledEventCount: c.Polled.Load(), FilteredOutEventCount: c.Filtered.Load(), WrongKindEventCount: c.WrongKind.Load(),
		InvokedEventCount: c.Invoked.Load(), FailedInvokeEventCount: c.Failed.Load(), DroppedEventCount: c.Dropped.Load(), SkippedEventCount: c.Skipped.Load(),
		OnFailureDestinationDeliveredEventCount: c.Delivered.Load(), OnFailureDestinationDeliveryErrorCount: c.DeliveryErrors.Load(),
		CommittedEventCount: c.Committed.Load(), PollingErrorCount: c.PollErrors.Load(), CommitErrorCount: c.CommitErrors.Load(),
		InvokeErrorCount: c.InvokeErrors.Load(), InvokeCount: c.Invokes.Load(), ThrottleCount: c.Throttles.Load(),
		LostEventCount: c.Lost.Load(), AbandonedCommitCount: c.AbandonedCommits.Load(), RebalanceCount: c.Rebalances.Load(),
		Retries:      c.Retries.Read(),
		MaxOffsetLag: c.MaxLag.Load(), SumOffsetLag: c.SumLag.Load(), ProvisionedPollers: int(c.Pollers.Load()), Workers: int(c.Workers.Load()),
	}
}

// RetryCounts are the current values of observe.RetryCounts.
type RetryCounts struct{ Failed, Partial, Throttled, Timeout, Panicked atomic.Int64 }

// Read reads the counts one by one.
func (c *RetryCounts) Read() observe.RetryCounts {
	return observe.RetryCounts{Failed: c.Failed.Load(), Partial: c.Partial.Load(), Throttled: c.Throttled.Load(), Timeout: c.Timeout.Load(), Panic: c.Panicked.Load()}
}
