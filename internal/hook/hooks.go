package hook

import (
	"context"
	"slices"

	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/observe"
)

// BatchBegin reports that a batch begins, on the invocation's goroutine.
func (l *List) BatchBegin(ctx context.Context, info func() observe.BatchInfo) {
	for i := range l.list {
		if f := l.list[i].BatchBegin; f != nil {
			f(ctx, info())
		}
	}
}

// BatchEnd reports that it ended, on the same goroutine.
func (l *List) BatchEnd(ctx context.Context, info func() observe.BatchEndInfo) {
	for i := range l.list {
		if f := l.list[i].BatchEnd; f != nil {
			f(ctx, info())
		}
	}
}

// Retry reports a batch that will be retried.
func (l *List) Retry(i observe.RetryInfo) {
	inTurn(l, "Retry", func(h *observe.Hooks) func(observe.RetryInfo) { return h.Retry }, i)
}

// Drop reports records that are given up. It returns whether the hooks have returned.
func (l *List) Drop(i observe.DropInfo) (told bool) {
	return inTurn(l, "Drop", func(h *observe.Hooks) func(observe.DropInfo) {
		if len(l.list) == 1 || h.Drop == nil {
			return h.Drop
		}
		return func(i observe.DropInfo) { // each hook gets its own copy
			i.Records = slices.Clone(i.Records)
			batch.OwnHeaders(i.Records, nil)
			h.Drop(i)
		}
	}, i)
}

// Filtered reports records that the filter removed.
func (l *List) Filtered(i observe.FilteredInfo) {
	inTurn(l, "Filtered", func(h *observe.Hooks) func(observe.FilteredInfo) { return h.Filtered }, i)
}

// Commit reports a commit that returned.
func (l *List) Commit(i observe.CommitInfo) {
	inTurn(l, "Commit", func(h *observe.Hooks) func(observe.CommitInfo) { return h.Commit }, i)
}

// Assigned reports assigned partitions.
func (l *List) Assigned(i observe.AssignmentInfo) {
	inTurn(l, "Assigned", func(h *observe.Hooks) func(observe.AssignmentInfo) { return h.Assigned }, i)
}

// Revoked reports revoked partitions.
func (l *List) Revoked(i observe.AssignmentInfo) {
	inTurn(l, "Revoked", func(h *observe.Hooks) func(observe.AssignmentInfo) { return h.Revoked }, i)
}

// Lost reports lost partitions.
func (l *List) Lost(i observe.AssignmentInfo) {
	inTurn(l, "Lost", func(h *observe.Hooks) func(observe.AssignmentInfo) { return h.Lost }, i)
}

// OffsetsLost reports offsets that no longer exist.
func (l *List) OffsetsLost(i observe.OffsetsLostInfo) {
	inTurn(l, "OffsetsLost", func(h *observe.Hooks) func(observe.OffsetsLostInfo) { return h.OffsetsLost }, i)
}

// StateChange reports a state, without waiting for the hooks.
func (l *List) StateChange(i observe.StateInfo) {
	later(l, "StateChange", func(h *observe.Hooks) func(observe.StateInfo) { return h.StateChange }, i)
}

// Operation reports an operation that a user asked for, without waiting for the hooks.
func (l *List) Operation(i observe.OperationInfo) {
	later(l, "Operation", func(h *observe.Hooks) func(observe.OperationInfo) { return h.Operation }, i)
}

// Scaled reports a scaling decision, without waiting for the hooks.
func (l *List) Scaled(i observe.ScaledInfo) {
	later(l, "Scaled", func(h *observe.Hooks) func(observe.ScaledInfo) { return h.Scaled }, i)
}

// Error reports an error.
func (l *List) Error(i observe.ErrorInfo) {
	inTurn(l, "Error", func(h *observe.Hooks) func(observe.ErrorInfo) { return h.Error }, i)
}

// ErrorLater is Error for goroutines that must not wait.
func (l *List) ErrorLater(i observe.ErrorInfo) {
	later(l, "Error", func(h *observe.Hooks) func(observe.ErrorInfo) { return h.Error }, i)
}
