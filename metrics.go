package esm

import "sync/atomic"

// counters are the living Metrics, written from several goroutines.
type counters struct {
	polled, filtered, wrongKind, invoked, failed, dropped, committed atomic.Int64
	pollErrors, commitErrors, invokeErrors, invokes, throttles, lost atomic.Int64
	abandonedCommits, rebalances, delivered, deliveryErrors, skipped atomic.Int64

	// For the scaler: records that workers were done with, and the time of invocations that were not throttled.
	resolved, invocationTime atomic.Int64
	// Gauges, as of the last evaluation.
	maxLag, sumLag, pollers, workers atomic.Int64
}

func (c *counters) snapshot() Metrics {
	return Metrics{
		PolledEventCount: c.polled.Load(), FilteredOutEventCount: c.filtered.Load(), WrongKindEventCount: c.wrongKind.Load(),
		InvokedEventCount: c.invoked.Load(), FailedInvokeEventCount: c.failed.Load(), DroppedEventCount: c.dropped.Load(), SkippedEventCount: c.skipped.Load(),
		OnFailureDestinationDeliveredEventCount: c.delivered.Load(), OnFailureDestinationDeliveryErrorCount: c.deliveryErrors.Load(),
		CommittedEventCount: c.committed.Load(), PollingErrorCount: c.pollErrors.Load(), CommitErrorCount: c.commitErrors.Load(),
		InvokeErrorCount: c.invokeErrors.Load(), InvokeCount: c.invokes.Load(), ThrottleCount: c.throttles.Load(),
		LostEventCount: c.lost.Load(), AbandonedCommitCount: c.abandonedCommits.Load(), RebalanceCount: c.rebalances.Load(),
		MaxOffsetLag: c.maxLag.Load(), SumOffsetLag: c.sumLag.Load(), ProvisionedPollers: int(c.pollers.Load()), Workers: int(c.workers.Load()),
	}
}
