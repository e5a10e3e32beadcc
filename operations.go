package esm

import (
	"context"
	"time"

	"github.com/esm-go/esm/event"
)

// What somebody may ask of one partition while the mapping runs. Status shows it when the method has returned. Each waits for the
// member that holds the partition, until ctx ends, and no longer than 30 s: called from a hook for which that member
// waits it ends in that error. None touches a partition that this process does not hold, or that is being taken from it: the
// error wraps ErrNotAssigned. All are logged, and told to Hooks.Operation. In a service of several processes ask the one that
// holds the partition: Status().Partitions lists a process's own.

// PausePartition stops the intake of one partition: what is in flight is finished, nothing of it is invoked or fetched then.
// The partition stays assigned. The pause is this process's and holds, through rebalances too, until ResumePartition or the
// end of Run; where another process is assigned the partition meanwhile, that one reads it. A partition that is paused is
// left as it is.
func (r *Runner) PausePartition(ctx context.Context, tp TopicPartition) error {
	return r.process.PausePartition(ctx, tp)
}

// ResumePartition ends a PausePartition, of a partition that has gone to another process too. One that is not paused is left as it
// is.
func (r *Runner) ResumePartition(ctx context.Context, tp TopicPartition) error {
	return r.process.ResumePartition(ctx, tp)
}

// Seek moves one partition to a place in its log, and returns the offset there. What was received and not handled is
// forgotten; a handler that has records of this partition alone is interrupted, and nothing of the partition begins before it
// has returned. Going back delivers records again; going forward passes records over, with no handler, filter or on-failure
// destination having seen them: they are not counted, OperationInfo has the offsets. Seek returns when the group has committed
// the new position.
//
// Its errors: *PositionError for an offset outside the log; what the broker answered; ErrNotAssigned; ErrOperationPending,
// and the context's.
func (r *Runner) Seek(ctx context.Context, tp TopicPartition, to LogPosition) (offset int64, err error) {
	return r.process.Seek(ctx, tp, to)
}

// Skip gives up one record, on which a partition stands: offset is the one that Status shows as its Position, and where it
// stands at another by then, nothing is given up. It waits for the end of an invocation that has the record. The record is
// counted in DroppedEventCount and SkippedEventCount, logged, and given to Hooks.Drop with DropSkipped; it does not go to an
// on-failure destination, and one that was on its way there is recalled. The records behind it are tried at once. Skip
// returns when the group has committed the position behind the record.
//
// Its errors: *PositionError where the partition stands elsewhere, or no record has come; ErrNotAssigned; ErrOperationPending,
// and the context's.
func (r *Runner) Skip(ctx context.Context, tp TopicPartition, offset int64) error {
	return r.process.Skip(ctx, tp, offset)
}

// ToEarliest is the first record that a log still has, for Runner.Seek.
func ToEarliest() LogPosition { return event.ToEarliest() }

// ToLatest is the end of a log: the next record to be written.
func ToLatest() LogPosition { return event.ToLatest() }

// ToTime is the first record whose timestamp is t or later; the end of the log where there is none.
func ToTime(t time.Time) LogPosition { return event.ToTime(t) }

// ToOffset is the record with an offset, or the next one that the log has.
func ToOffset(n int64) LogPosition { return event.ToOffset(n) }
