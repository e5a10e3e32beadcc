package esm

import (
	"context"
	"time"

	"github.com/esm-go/esm/event"
)

// Operations on one partition while the mapping runs. Status shows the effect when the method has returned. Each waits
// for the member that holds the partition, until ctx ends and no longer than 30 s; called from a hook that blocks that
// member, it ends with that error. None affects a partition that is not assigned to this process or is being revoked:
// the error wraps ErrNotAssigned. An operation that takes effect is logged and reported to Hooks.Operation. If a
// service has several processes, call the one that holds the partition: Status().Partitions lists a process's own.

// PausePartition stops the intake of one partition: what is in flight is finished, then nothing of it is invoked or
// fetched. The partition stays assigned. The pause belongs to this process and lasts, through rebalances too, until
// ResumePartition or the end of Run; if another process is assigned the partition meanwhile, that process reads it.
// Pausing a paused partition does nothing.
func (r *Runner) PausePartition(ctx context.Context, tp TopicPartition) error {
	return r.process.PausePartition(ctx, tp)
}

// ResumePartition ends a PausePartition, also if the partition has moved to another process. Resuming a partition that
// is not paused does nothing. Its errors: ErrNotAssigned for a partition that is neither paused nor assigned to this
// process; ErrOperationPending if the context ended before the partition's member had seen it.
func (r *Runner) ResumePartition(ctx context.Context, tp TopicPartition) error {
	return r.process.ResumePartition(ctx, tp)
}

// Seek moves one partition to a position in its log and returns the offset there. Records that were received but not
// handled are discarded. A handler whose records are all of this partition is interrupted, and no other invocation of
// the partition starts until it has returned. Seeking back delivers records again. Seeking forward passes over records
// without a handler, a filter or an on-failure destination seeing them: they are not counted, but OperationInfo has the
// offsets. Seek returns when the group has committed the new position.
//
// Its errors: *PositionError for an offset outside the log; the broker's error; ErrNotAssigned; ErrOperationPending;
// and the context's.
func (r *Runner) Seek(ctx context.Context, tp TopicPartition, to LogPosition) (offset int64, err error) {
	return r.process.Seek(ctx, tp, to)
}

// Skip gives up the one record that a partition is stuck on. offset must be the Position that Status shows; if the
// partition has moved on, nothing is given up. Skip waits for the end of an invocation that has the record. The record
// is counted in DroppedEventCount and SkippedEventCount, logged, and passed to Hooks.Drop with DropSkipped. It does not
// go to an on-failure destination; if it was on its way there, it is recalled. The records behind it are tried at once.
// Skip returns when the group has committed the position behind the record.
//
// Its errors: *PositionError if the partition is at another position, or no record has been received; ErrNotAssigned;
// ErrOperationPending; and the context's.
func (r *Runner) Skip(ctx context.Context, tp TopicPartition, offset int64) error {
	return r.process.Skip(ctx, tp, offset)
}

// ToEarliest is the first record still in the log, for Runner.Seek.
func ToEarliest() LogPosition { return event.ToEarliest() }

// ToLatest is the end of a log: the next record to be written.
func ToLatest() LogPosition { return event.ToLatest() }

// ToTime is the first record whose timestamp is t or later, or the end of the log if there is none.
func ToTime(t time.Time) LogPosition { return event.ToTime(t) }

// ToOffset is the record with offset n, or the next one in the log.
func ToOffset(n int64) LogPosition { return event.ToOffset(n) }
