package observe

// Metrics are a mapping's counters since it started, under Lambda's names in CloudWatch. Lambda does not have those
// marked (ours).
type Metrics struct {
	// PolledEventCount counts records read.
	PolledEventCount int64
	// FilteredOutEventCount counts records that FilterCriteria filtered out. WrongKindEventCount (ours) counts those of them
	// whose value was of the wrong kind for every pattern: text where a pattern wants JSON, or the reverse.
	FilteredOutEventCount, WrongKindEventCount int64
	// InvokedEventCount counts records passed to the handler, again on each retry.
	InvokedEventCount int64
	// FailedInvokeEventCount counts the records of each failed invocation when it ends.
	FailedInvokeEventCount int64
	// DroppedEventCount counts records given up because of their age, their retries or Permanent while there is no
	// on-failure destination, and those that Runner.Skip gave up. SkippedEventCount (ours) counts only the latter.
	DroppedEventCount, SkippedEventCount int64
	// OnFailureDestinationDeliveredEventCount counts records that the on-failure destination has acknowledged.
	// OnFailureDestinationDeliveryErrorCount counts failed sends to it.
	OnFailureDestinationDeliveredEventCount, OnFailureDestinationDeliveryErrorCount int64
	// CommittedEventCount is how far the committed offsets have moved, summed over the partitions.
	CommittedEventCount int64
	// PollingErrorCount and CommitErrorCount count errors. InvokeErrorCount counts failed invocations, one for each batch.
	PollingErrorCount, CommitErrorCount, InvokeErrorCount int64
	// InvokeCount (ours) counts invocations that ended, ThrottleCount (ours) those that ended with Throttled.
	InvokeCount, ThrottleCount int64
	// Retries (ours) counts scheduled retries by the result of the failed invocation: one for each partition of a failed
	// batch.
	Retries RetryCounts
	// LostEventCount (ours) counts offsets that were gone before they were read, through retention, truncation or the deletion of
	// the topic: the sum of OffsetsLostInfo.Lost.
	LostEventCount int64
	// AbandonedCommitCount (ours) counts commits that took longer than a revocation or a stop waits.
	AbandonedCommitCount int64
	// RebalanceCount (ours) counts changes of the assignment.
	RebalanceCount int64
	// MaxOffsetLag and SumOffsetLag are over this process's partitions: the end of the log minus the committed offset.
	// ProvisionedPollers is the number of group members in this process, Workers (ours) the number of invocations that may
	// run at a time. All four are from the last evaluation of the scaling policy; Status has the current ones, and
	// OffsetLag by topic.
	MaxOffsetLag, SumOffsetLag  int64
	ProvisionedPollers, Workers int
}

// RetryCounts counts retries by their reason.
type RetryCounts struct {
	// Failed: the handler returned an error. Partial: it returned ItemFailures. Throttled: it returned Throttled. Timeout: it
	// returned an error after WithInvocationTimeout had ended its context. Panic: it panicked.
	Failed, Partial, Throttled, Timeout, Panic int64
}
