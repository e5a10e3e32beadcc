package observe

// Histogram is a distribution of values.
type Histogram struct {
	// Bounds are the inclusive upper bounds of the buckets, in ascending order. Counts has the number of values in each
	// bucket, and one more element: the number of values above the last bound.
	Bounds []float64
	Counts []uint64
	// Sum is the sum of the values.
	Sum float64
}

// Count returns the number of values.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Histograms are the distributions that a mapping has recorded since it started. Lambda has no such metrics, except a
// function's Duration.
type Histograms struct {
	// InvocationDuration is how long invocations took, in seconds. Those that a stop or a rebalance interrupted do not count.
	InvocationDuration Histogram
	// BatchRecords is the number of records of an invocation. BatchFill is that number divided by BatchSize.
	BatchRecords, BatchFill Histogram
	// WindowWait is how long the oldest record of a batch was buffered before the batch's first invocation, in seconds. It
	// includes the batching window and the wait for a worker.
	WindowWait Histogram
	// Latency is the time from a record's timestamp until it is resolved, in seconds: handled, acknowledged by the
	// on-failure destination, or dropped. Records that were filtered out or skipped, and those without a timestamp, do not
	// count. If two records of a batch fall into the same bucket, those between them are counted in it too.
	Latency Histogram
	// CommitDuration is how long commits took, in seconds, whether they succeeded or not.
	CommitDuration Histogram
	// RebalanceDuration is the time from the first notice of an assignment change until every assigned partition has
	// started, in seconds.
	RebalanceDuration Histogram
	// DestinationDuration is the time from giving up records until the on-failure destination acknowledged them, in seconds.
	DestinationDuration Histogram
}
