package esm

import "sync/atomic"

// counters are the living Metrics, written from several goroutines.
type counters struct {
	Polled, Filtered, WrongKind, Invoked, Failed, Dropped, Committed atomic.Int64
	PollErrors, CommitErrors, InvokeErrors, Invokes, Throttles, Lost atomic.Int64
	AbandonedCommits, Rebalances, Delivered, DeliveryErrors, Skipped atomic.Int64
	Retries                                                          retryCounts

	// For the scaler: records that workers were done with, and the time of invocations that were not throttled.
	Resolved, InvocationTime atomic.Int64
	// Gauges, as of the last evaluation.
	MaxLag, SumLag, Pollers, Workers atomic.Int64
}

func (c *counters) Snapshot() Metrics {
	return Metrics{
		PolledEventCount: c.Polled.Load(), FilteredOutEventCount: c.Filtered.Load(), WrongKindEventCount: c.WrongKind.Load(),
		InvokedEventCount: c.Invoked.Load(), FailedInvokeEventCount: c.Failed.Load(), DroppedEventCount: c.Dropped.Load(), SkippedEventCount: c.Skipped.Load(),
		OnFailureDestinationDeliveredEventCount: c.Delivered.Load(), OnFailureDestinationDeliveryErrorCount: c.DeliveryErrors.Load(),
		CommittedEventCount: c.Committed.Load(), PollingErrorCount: c.PollErrors.Load(), CommitErrorCount: c.CommitErrors.Load(),
		InvokeErrorCount: c.InvokeErrors.Load(), InvokeCount: c.Invokes.Load(), ThrottleCount: c.Throttles.Load(),
		LostEventCount: c.Lost.Load(), AbandonedCommitCount: c.AbandonedCommits.Load(), RebalanceCount: c.Rebalances.Load(),
		Retries:      c.Retries.read(),
		MaxOffsetLag: c.MaxLag.Load(), SumOffsetLag: c.SumLag.Load(), ProvisionedPollers: int(c.Pollers.Load()), Workers: int(c.Workers.Load()),
	}
}
