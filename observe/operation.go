package observe

import (
	"errors"
	"fmt"

	"github.com/esm-go/esm/event"
)

// Operation names a method of the Runner that changes one partition of a running mapping.
type Operation string

const (
	// OperationPausePartition is Runner.PausePartition.
	OperationPausePartition Operation = "PausePartition"
	// OperationResumePartition is Runner.ResumePartition.
	OperationResumePartition Operation = "ResumePartition"
	// OperationSeek is Runner.Seek.
	OperationSeek Operation = "Seek"
	// OperationSkip is Runner.Skip.
	OperationSkip Operation = "Skip"
)

// OperationInfo describes an operation that was applied.
type OperationInfo struct {
	event.TopicPartition
	Operation Operation
	// From is the next offset of the partition before the operation, To the next offset after it. Both are -1 for
	// PausePartition and ResumePartition.
	From, To int64
}

// ErrNotAssigned is wrapped by the error of an operation on a partition that is not assigned to this process, or that is being
// revoked.
var ErrNotAssigned = errors.New("esm: this process does not hold the partition")

// ErrOperationPending is wrapped by the error of an operation whose context ended, or whose partition was revoked,
// after it had started. After a Seek or Skip the partition may already be at its new offset, but the group has not committed
// that offset. After a ResumePartition the partition is resumed as soon as its member gets to it.
var ErrOperationPending = errors.New("esm: begun, but not completed")

// PositionError is the error of a Seek or Skip that refused an offset and did not change the partition.
type PositionError struct {
	event.TopicPartition
	Operation Operation
	// Offset is the offset asked for, Position the first unresolved one.
	Offset, Position int64
	// Earliest and End are the bounds of its log; -1 if they were not looked up. End is the offset of the next record to
	// be written.
	Earliest, End int64
}

// Error returns the offset asked for, and what would have been accepted.
func (e *PositionError) Error() string {
	where := event.PartitionKey(e.Topic, e.Partition)
	if e.Operation == OperationSeek {
		return fmt.Sprintf("esm: Seek: %s has no offset %d: its log has %d to %d", where, e.Offset, e.Earliest, e.End)
	}
	if e.Offset == e.Position {
		return fmt.Sprintf("esm: Skip: no record of %s has been received at or after offset %d", where, e.Offset)
	}
	return fmt.Sprintf("esm: Skip: %s is not at offset %d but at %d", where, e.Offset, e.Position)
}
