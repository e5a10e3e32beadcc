package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/operation"
	"github.com/esm-go/esm/internal/stream"
	"github.com/esm-go/esm/observe"
)

// Operations on one partition while the mapping runs, as documented at esm.Runner. Each waits for the member that holds
// the partition, until ctx ends and no longer than operationTimeout.

// operationTimeout bounds an operation whose context has no earlier deadline. It is longer than the limit of a commit.
const operationTimeout = 30 * time.Second

// PausePartition is esm.Runner.PausePartition.
func (r *Process) PausePartition(ctx context.Context, tp event.TopicPartition) error {
	return r.ask(ctx, observe.OperationPausePartition, tp, func(ctx context.Context, m *stream.Member) error { return m.PausePartition(ctx, tp) })
}

// ResumePartition is esm.Runner.ResumePartition.
func (r *Process) ResumePartition(ctx context.Context, tp event.TopicPartition) error {
	was := r.shared.ResumePartition(tp)
	err := r.ask(ctx, observe.OperationResumePartition, tp, func(ctx context.Context, m *stream.Member) error { return m.FollowPartition(ctx, tp) })
	switch {
	case !was || err == nil:
		return err
	case errors.Is(err, observe.ErrNotAssigned):
		return nil
	default: // the pause has ended, whether or not the caller waited for the member to see it
		return operation.Pending(observe.OperationResumePartition, tp, errors.Unwrap(err))
	}
}

// Seek is esm.Runner.Seek.
func (r *Process) Seek(ctx context.Context, tp event.TopicPartition, to event.LogPosition) (offset int64, err error) {
	if n, ok := to.Offset(); to == (event.LogPosition{}) || ok && n < 0 {
		return -1, fmt.Errorf("esm: Seek(%s, %v): the position is not set: use ToEarliest, ToLatest, ToTime, or ToOffset of 0 or more", tp, to)
	}
	err = r.ask(ctx, observe.OperationSeek, tp, func(ctx context.Context, m *stream.Member) (err error) {
		offset, err = m.Seek(ctx, tp, to)
		return err
	})
	if err != nil {
		return -1, err
	}
	return offset, nil
}

// Skip is esm.Runner.Skip.
func (r *Process) Skip(ctx context.Context, tp event.TopicPartition, offset int64) error {
	return r.ask(ctx, observe.OperationSkip, tp, func(ctx context.Context, m *stream.Member) error { return m.Skip(ctx, tp, offset) })
}

// ask calls f for the member that holds a partition.
func (r *Process) ask(ctx context.Context, name observe.Operation, tp event.TopicPartition, f func(context.Context, *stream.Member) error) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	for _, p := range r.roster.list() {
		if err := f(ctx, p.member); !errors.Is(err, operation.ErrNotHere) {
			return err
		}
	}
	return operation.NotAssigned(name, tp, "")
}
