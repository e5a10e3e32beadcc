package observe

import (
	"context"
	"log/slog"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/scaling"
)

// Hooks are functions that a mapping calls when events occur. Every field may be nil.
//
// BatchBegin and BatchEnd run on the goroutine of the invocation, several at a time. All others run on one goroutine of
// the Runner, one at a time, in the order of the events. The mapping waits for the hooks about records, partitions and
// commits: a dropped record is not committed before Drop has returned. So hooks must be quick. A hook that blocks holds
// up the mapping, and Healthy reports it after 30 s. A stop does not wait for it, and Run's *StuckError names it.
//
// Hooks may call any method of the Runner.
type Hooks struct {
	// BatchBegin is called before the handler, with the handler's context.
	BatchBegin func(context.Context, BatchInfo)
	// BatchEnd is called after the handler.
	BatchEnd func(context.Context, BatchEndInfo)
	// Retry is called when a retry of a failed batch, or of a part of it, is scheduled.
	Retry func(RetryInfo)
	// Drop is called when records are given up and there is no on-failure destination: because of a limit of the mapping, or
	// Permanent. It is also called for Runner.Skip.
	Drop func(DropInfo)
	// Filtered is called with the number of records of a fetch that FilterCriteria filtered out.
	Filtered func(FilteredInfo)
	// Commit is called after each commit, successful or not.
	Commit func(CommitInfo)
	// Assigned, Revoked and Lost are called when the group's assignment changes. Revoked is called when the partitions
	// have been drained and given up, Lost when the group took them away without a revocation.
	Assigned, Revoked, Lost func(AssignmentInfo)
	// OffsetsLost is called when the next offset to read no longer exists; see OffsetsLostInfo.
	OffsetsLost func(OffsetsLostInfo)
	// StateChange is called when the mapping's state changes.
	StateChange func(StateInfo)
	// Operation is called after PausePartition, ResumePartition, Seek and Skip of the Runner.
	Operation func(OperationInfo)
	// Scaled is called when the number of workers or pollers is to change, or when the reason for keeping it has changed.
	Scaled func(ScaledInfo)
	// Error is called with errors of the event source: of connections, authentication, topics.
	Error func(ErrorInfo)
}

// BatchInfo describes a batch.
type BatchInfo struct {
	// Invocation is the id in the handler's context.
	Invocation uint64
	// Records is the number of records, Bytes the approximate size of the event's JSON (KafkaEvent.Size is exact).
	Records, Bytes int
	// Attempt is 1 for the first attempt.
	Attempt int
	// Partitions has the first and last offset of each "topic-partition" in the batch.
	Partitions map[string]OffsetRange
}

// BatchEndInfo describes a batch that was handled.
type BatchEndInfo struct {
	BatchInfo
	Duration time.Duration
	// Err is the handler's error, or a *PanicError if it panicked.
	Err error
	// Interrupted reports whether a stop, or the loss of the batch's partitions, had ended the handler's context before it
	// returned Err. That is no failure: the records stay unresolved, and their next reader handles them.
	Interrupted bool
}

// RetryInfo describes a part of a batch that is retried.
type RetryInfo struct {
	event.TopicPartition
	First, Last int64
	Records     int
	// Attempts counts the attempts that count towards MaximumRetryAttempts, Failures the consecutive failures of the
	// partition.
	Attempts, Failures int
	// After is the pause before the next attempt.
	After time.Duration
	Err   error
}

// DropReason is the reason why records were given up.
type DropReason uint8

const (
	// DropRetriesExhausted: MaximumRetryAttempts was reached.
	DropRetriesExhausted DropReason = iota + 1
	// DropRecordAge: they were older than MaximumRecordAgeInSeconds.
	DropRecordAge
	// DropPermanent: the handler returned Permanent.
	DropPermanent
	// DropSkipped: Runner.Skip was called.
	DropSkipped
)

// String returns Lambda's name for it, RetryAttemptsExhausted or RecordAgeExceeded, or, where Lambda has none,
// PermanentError or Skipped.
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
	// Records are those given up, in offset order. The hook may keep and modify them, as a handler may do with its event.
	Records []event.KafkaRecord
	Reason  DropReason
	// Attempts counts their attempts.
	Attempts int
	// Err is the handler's last error; nil for records that expired before their first attempt.
	Err error
}

// FilteredInfo counts the records that FilterCriteria filtered out of one run of records.
type FilteredInfo struct {
	event.TopicPartition
	// Records is the number of records that did not match. WrongKind is the number of those that were JSON where the patterns
	// want a string, or the reverse, or not UTF-8.
	Records, WrongKind int
}

// CommitInfo describes one commit.
type CommitInfo struct {
	// Offsets are the offsets sent.
	Offsets map[event.TopicPartition]int64
	// Duration is how long the commit took.
	Duration time.Duration
	Err      error
}

// AssignmentInfo describes a change of the assignment.
type AssignmentInfo struct {
	Partitions []event.TopicPartition
	// InFlight counts the Partitions whose handler was still running when they were taken away.
	InFlight int
}

// OffsetsLostInfo describes the loss of the next offset to read.
type OffsetsLostInfo struct {
	event.TopicPartition
	// From is the offset that was to be read next, To the one where reading continues.
	From, To int64
	// Lost is the number of offsets between them: those that retention or DeleteRecords removed, or those that a
	// truncation cut off; other records may have these offsets now. For a topic that was deleted and recreated it is the
	// number of offsets that were received and not handled. Compaction and transaction markers make it larger than the
	// number of records.
	Lost int64
	// Why is "retention", "truncation" or "topic recreated".
	Why string
}

// StateInfo describes a change of state.
type StateInfo struct {
	From, To State
	Reason   string
}

// ScaledInfo describes a decision of the scaling policy.
type ScaledInfo struct {
	// From is the capacity before the decision, To the capacity after it.
	From, To scaling.Capacity
	// Reason is the reason, with its figures; its String is one line for an operator.
	Reason scaling.Reason
}

// ErrorInfo describes an error of the event source.
type ErrorInfo struct {
	// Op says what failed: OpPoll, OpStart, OpCommit, OpLag, OpCredentials, OpRotation, OpHandshake, OpDestination, or
	// OpGroup if another mapping commits in the same consumer group.
	Op  Op
	Err error
	// LastProcessingResult is Lambda's text for it.
	LastProcessingResult string
	// Diagnosis explains it; zero if the cause is unknown. A connection error within 30 s of its real cause, such as a
	// wrong password, has the Diagnosis of that cause.
	Diagnosis auth.Diagnosis
}

// LogValue returns the retry as a group of attributes.
func (i RetryInfo) LogValue() slog.Value {
	return slog.GroupValue(slog.String("partition", i.String()), slog.Int64("first", i.First),
		slog.Int64("last", i.Last), slog.Int("records", i.Records), slog.Int("attempts", i.Attempts),
		slog.Duration("after", i.After))
}
