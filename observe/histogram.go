package observe

// Histogram is how the values of something are distributed.
type Histogram struct {
	// Bounds are the upper bounds of the buckets, inclusive, rising; Counts how many values are in each. The last of Counts,
	// for which there is no bound, counts what is above them all.
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

// Histograms are how what a mapping does is distributed since it began to run. AWS Lambda has no counterpart of them, but for
// Duration of a function.
type Histograms struct {
	// InvocationDuration is how long invocations took, in seconds, but for those that a stop or a rebalance interrupted.
	InvocationDuration Histogram
	// BatchRecords is the number of records of an invocation, BatchFill that as a part of BatchSize.
	BatchRecords, BatchFill Histogram
	// WindowWait is how long the oldest record of a batch had waited here, in seconds, when it was invoked for the first time:
	// for the batching window, for its turn, for a worker.
	WindowWait Histogram
	// Latency is the time from a record's timestamp to its resolution, in seconds: handled, acknowledged by the on-failure
	// destination, or dropped. It counts neither filtered records nor those without a timestamp. Between the records of a
	// batch that are at both ends of a bucket it does not look.
	Latency Histogram
	// CommitDuration is how long commits took, successful or not, in seconds.
	CommitDuration Histogram
	// RebalanceDuration is the time from the first word of a change of the assignment until all that is assigned then is
	// started, in seconds.
	RebalanceDuration Histogram
	// DestinationDuration is the time from giving records up until the on-failure destination acknowledged them, in seconds.
	DestinationDuration Histogram
}
