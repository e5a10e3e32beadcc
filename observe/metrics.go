package observe

// Metrics are the mapping's counters since it began to run, under the names that Lambda gives them in CloudWatch, and a
// few that Lambda lacks.
type Metrics struct {
	// PolledEventCount counts records read.
	PolledEventCount int64
	// FilteredOutEventCount counts records that FilterCriteria took out; WrongKindEventCount (ours) those of them that
	// were of the wrong kind for every pattern.
	FilteredOutEventCount, WrongKindEventCount int64
	// InvokedEventCount counts records handed to the handler, again on each retry.
	InvokedEventCount int64
	// FailedInvokeEventCount counts records whose invocation failed, counted when it ended.
	FailedInvokeEventCount int64
	// DroppedEventCount counts records given up by age, retries or Permanent while there is no on-failure destination, and
	// those skipped. SkippedEventCount (ours) counts the latter alone: Runner.Skip gave them up because somebody asked for it.
	DroppedEventCount, SkippedEventCount int64
	// OnFailureDestinationDeliveredEventCount counts records that the on-failure destination has acknowledged;
	// OnFailureDestinationDeliveryErrorCount sends to it that failed.
	OnFailureDestinationDeliveredEventCount, OnFailureDestinationDeliveryErrorCount int64
	// CommittedEventCount is the sum of the steps of the committed offsets.
	CommittedEventCount int64
	// PollingErrorCount, CommitErrorCount and InvokeErrorCount count errors; the last per batch.
	PollingErrorCount, CommitErrorCount, InvokeErrorCount int64
	// InvokeCount and ThrottleCount (ours) count invocations that ended, and those that said Throttled.
	InvokeCount, ThrottleCount int64
	// Retries (ours) counts the parts of batches that were set down to be tried again, by what the try before ended with.
	Retries RetryCounts
	// LostEventCount (ours) counts offsets that retention took before they were read, or that a log or topic lost under the
	// reader: the sum of OffsetsLostInfo.Lost.
	LostEventCount int64
	// AbandonedCommitCount (ours) counts commits that a revocation or a stop did not wait for any longer.
	AbandonedCommitCount int64
	// RebalanceCount (ours) counts changes of the assignment.
	RebalanceCount int64
	// MaxOffsetLag and SumOffsetLag are over this process's partitions: the log's end less the commit. They and
	// ProvisionedPollers, the members of the group in this process, and Workers (ours) are those of the last evaluation of
	// the scaling policy; Status gives those of now, and OffsetLag by topic.
	MaxOffsetLag, SumOffsetLag  int64
	ProvisionedPollers, Workers int
}

// RetryCounts counts retries by their reason.
type RetryCounts struct {
	// Failed: an error. Partial: ItemFailures. Throttled: the handler said Throttled. Timeout: an error after
	// WithInvocationTimeout had ended the handler's context. Panic: the handler panicked.
	Failed, Partial, Throttled, Timeout, Panic int64
}
