package observe

import (
	"context"
	"log/slog"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/scaling"
)

// Hooks are called as things happen. Every field may be nil.
//
// BatchBegin and BatchEnd run on the goroutine of the invocation, several at a time. All others run on one goroutine of the
// Runner's, one at a time, in the order in which things happened. The mapping waits for those that tell of records,
// partitions and commits: no record that was dropped is committed before Drop has returned. So hooks must be quick: one that
// blocks holds the mapping up, and Healthy says so after 30 s. A stop does not wait for it: Run's *StuckError names it.
//
// Hooks may call any method of the Runner.
type Hooks struct {
	// BatchBegin is called before the handler, with the handler's context.
	BatchBegin func(context.Context, BatchInfo)
	// BatchEnd is called after the handler.
	BatchEnd func(context.Context, BatchEndInfo)
	// Retry is called when a failed part of a batch is set down to be tried again.
	Retry func(RetryInfo)
	// Drop is called when records are given up, by a limit of the mapping or Permanent, and there is no on-failure destination;
	// and by Runner.Skip.
	Drop func(DropInfo)
	// Filtered is called with the number of records that FilterCriteria took out of a fetch.
	Filtered func(FilteredInfo)
	// Commit is called after each commit, successful or not.
	Commit func(CommitInfo)
	// Assigned, Revoked and Lost tell of the group's assignment. Revoked comes when the partitions are drained and given
	// up, Lost when they were taken without asking.
	Assigned, Revoked, Lost func(AssignmentInfo)
	// OffsetsLost is called when reading has to go on elsewhere than it stood: see OffsetsLostInfo.
	OffsetsLost func(OffsetsLostInfo)
	// StateChange is called when the mapping's state changes.
	StateChange func(StateInfo)
	// Operation is called when a partition was paused, resumed or moved, or a record skipped, because somebody asked for it.
	Operation func(OperationInfo)
	// Scaled is called when the number of workers or pollers is to change, or stays for another reason than before.
	Scaled func(ScaledInfo)
	// Error is called with what the event source has to say: connections, authentication, topics.
	Error func(ErrorInfo)
}

// BatchInfo describes a batch.
type BatchInfo struct {
	// Invocation is the id in the handler's context.
	Invocation uint64
	// Records is the number of records, Bytes about the size of the event's JSON (KafkaEvent.Size is exact).
	Records, Bytes int
	// Attempt is 1 for the first try.
	Attempt int
	// Partitions gives each "topic-partition" with its first and last offset.
	Partitions map[string]OffsetRange
}

// BatchEndInfo describes a batch that was handled.
type BatchEndInfo struct {
	BatchInfo
	Duration time.Duration
	// Err is what the handler returned, a *PanicError when it panicked.
	Err error
	// Interrupted: a stop, or the loss of the batch's partitions, had ended the handler's context before it returned Err.
	// That is no failure: the records are unresolved, and are handled by whoever reads them next.
	Interrupted bool
}

// RetryInfo describes a part of a batch that is tried again.
type RetryInfo struct {
	event.TopicPartition
	First, Last int64
	Records     int
	// Attempts counts the tries that count for MaximumRetryAttempts, Failures those of the partition in a row.
	Attempts, Failures int
	// After is the pause before the next try.
	After time.Duration
	Err   error
}

// DropReason says why records were given up.
type DropReason uint8

const (
	// DropRetriesExhausted: MaximumRetryAttempts was reached.
	DropRetriesExhausted DropReason = iota + 1
	// DropRecordAge: older than MaximumRecordAgeInSeconds.
	DropRecordAge
	// DropPermanent: the handler said Permanent.
	DropPermanent
	// DropSkipped: somebody asked for it, by Runner.Skip.
	DropSkipped
)

// String gives Lambda's condition where it has one: RetryAttemptsExhausted, RecordAgeExceeded; else PermanentError or Skipped.
func (r DropReason) String() string {
	switch r {
	case DropRetriesExhausted:
		return "RetryAttemptsExhausted"
	case DropRecordAge:
		return "RecordAgeExceeded"
	case DropPermanent:
		return "PermanentError"
	case DropSkipped:
		return "Skipped"
	}
	return "none"
}

// DropInfo describes records of one partition that were given up.
type DropInfo struct {
	event.TopicPartition
	// Records are those given up, in offset order. They belong to the hook as an event's belong to a handler.
	Records []event.KafkaRecord
	Reason  DropReason
	// Attempts counts the tries that they had.
	Attempts int
	// Err is the handler's last error, nil for records that expired before their first try.
	Err error
}

// FilteredInfo counts what FilterCriteria took out of one run of records.
type FilteredInfo struct {
	event.TopicPartition
	// Records is how many did not match; WrongKind how many of those were JSON where a string was asked for, or the
	// reverse, or not UTF-8.
	Records, WrongKind int
}

// CommitInfo describes one commit.
type CommitInfo struct {
	// Offsets are the positions sent.
	Offsets map[event.TopicPartition]int64
	// Duration is how long the broker took.
	Duration time.Duration
	Err      error
}

// AssignmentInfo describes a change of the assignment.
type AssignmentInfo struct {
	Partitions []event.TopicPartition
	// InFlight counts the partitions of it whose handler was still running when they went.
	InFlight int
}

// OffsetsLostInfo describes a position that does not exist any more.
type OffsetsLostInfo struct {
	event.TopicPartition
	// From is where reading should have gone on, To where it does.
	From, To int64
	// Lost is how many offsets lie between: those that retention or DeleteRecords took, or those that were cut off, whose
	// numbers other records may have now. Of a topic that was made again it is how many were received and not handled.
	// Compaction and transaction markers make it larger than the number of records.
	Lost int64
	// Why says what happened: "retention", "truncation" or "topic recreated".
	Why string
}

// StateInfo describes a change of state.
type StateInfo struct {
	From, To State
	Reason   string
}

// ScaledInfo describes a decision of the scaling policy.
type ScaledInfo struct {
	// From is the capacity that ran, To what is to run.
	From, To scaling.Capacity
	// Reason says why, with its numbers; its String is one line for an operator.
	Reason scaling.Reason
}

// ErrorInfo is something that the event source said.
type ErrorInfo struct {
	// Op says what was being done: OpPoll, OpStart, OpCommit, OpLag, OpCredentials, OpRotation, OpHandshake, OpDestination, or OpGroup where
	// another mapping was found to commit in the same consumer group.
	Op  Op
	Err error
	// LastProcessingResult is Lambda's text for it; Status shows the worst of those that stand.
	LastProcessingResult string
	// Diagnosis says what it means, zero where that is not known. A connection error that follows from a stronger cause
	// of the last 30 s, such as a wrong password, has the Diagnosis of that cause.
	Diagnosis auth.Diagnosis
}

// LogValue makes a retry a group of a log line.
func (i RetryInfo) LogValue() slog.Value {
	return slog.GroupValue(slog.String("partition", i.String()), slog.Int64("first", i.First),
		slog.Int64("last", i.Last), slog.Int("records", i.Records), slog.Int("attempts", i.Attempts),
		slog.Duration("after", i.After))
}
