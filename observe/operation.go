package observe

import (
	"errors"
	"fmt"

	"github.com/esm-go/esm/event"
)

// Operation is what somebody asked of one partition of a running mapping, by the method of the Runner of that name.
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

// OperationInfo describes an operation that was carried out.
type OperationInfo struct {
	event.TopicPartition
	Operation Operation
	// From is the offset at which the partition stood, To that at which it goes on: after a Skip of the last record received it
	// is the next offset. Of a pause and its end both are -1.
	From, To int64
}

// ErrNotAssigned is wrapped by the error of an operation on a partition that no member of this process holds, or that is
// being taken away from it.
var ErrNotAssigned = errors.New("esm: this process does not hold the partition")

// ErrOperationPending is wrapped by the error of an operation whose context ended, or whose partition went, after it was begun:
// the partition may stand where it was to go, but the group's commit did not follow in time.
var ErrOperationPending = errors.New("esm: begun, but the group does not have the new position yet")

// PositionError says that Seek or Skip left a partition as it was, since the offset asked for is not one that it could take.
type PositionError struct {
	event.TopicPartition
	Operation Operation
	// Offset is what was asked for, Position where the partition stands.
	Offset, Position int64
	// Earliest and End are the bounds of its log, -1 where they were not looked at. End is the offset of the next record to be
	// written.
	Earliest, End int64
}

// Error says what was asked for, and what would have been accepted.
func (e *PositionError) Error() string {
	where := event.PartitionKey(e.Topic, e.Partition)
	if e.Operation == OperationSeek {
		return fmt.Sprintf("esm: Seek: %s has no offset %d: its log has %d to %d", where, e.Offset, e.Earliest, e.End)
	}
	if e.Offset == e.Position {
		return fmt.Sprintf("esm: Skip: no record of %s has been received at or behind offset %d", where, e.Offset)
	}
	return fmt.Sprintf("esm: Skip: %s does not stand at offset %d, but at %d", where, e.Offset, e.Position)
}
