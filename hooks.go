package esm

import (
	"context"
	"slices"

	"github.com/esm-go/esm/internal/batch"
)

func (l *hookList) batchBegin(ctx context.Context, info func() BatchInfo) {
	for i := range l.list {
		if f := l.list[i].BatchBegin; f != nil {
			f(ctx, info())
		}
	}
}

func (l *hookList) batchEnd(ctx context.Context, info func() BatchEndInfo) {
	for i := range l.list {
		if f := l.list[i].BatchEnd; f != nil {
			f(ctx, info())
		}
	}
}

func (l *hookList) retry(i RetryInfo) {
	inTurn(l, "Retry", func(h *Hooks) func(RetryInfo) { return h.Retry }, i)
}
func (l *hookList) drop(i DropInfo) {
	inTurn(l, "Drop", func(h *Hooks) func(DropInfo) {
		if len(l.list) == 1 || h.Drop == nil {
			return h.Drop
		}
		return func(i DropInfo) { // each gets its own
			i.Records = slices.Clone(i.Records)
			batch.OwnHeaders(i.Records, nil)
			h.Drop(i)
		}
	}, i)
}
func (l *hookList) filtered(i FilteredInfo) {
	inTurn(l, "Filtered", func(h *Hooks) func(FilteredInfo) { return h.Filtered }, i)
}
func (l *hookList) commit(i CommitInfo) {
	inTurn(l, "Commit", func(h *Hooks) func(CommitInfo) { return h.Commit }, i)
}
func (l *hookList) assigned(i AssignmentInfo) {
	inTurn(l, "Assigned", func(h *Hooks) func(AssignmentInfo) { return h.Assigned }, i)
}
func (l *hookList) revoked(i AssignmentInfo) {
	inTurn(l, "Revoked", func(h *Hooks) func(AssignmentInfo) { return h.Revoked }, i)
}
func (l *hookList) lost(i AssignmentInfo) {
	inTurn(l, "Lost", func(h *Hooks) func(AssignmentInfo) { return h.Lost }, i)
}
func (l *hookList) offsetsLost(i OffsetsLostInfo) {
	inTurn(l, "OffsetsLost", func(h *Hooks) func(OffsetsLostInfo) { return h.OffsetsLost }, i)
}
func (l *hookList) stateChange(i StateInfo) {
	later(l, "StateChange", func(h *Hooks) func(StateInfo) { return h.StateChange }, i)
}
func (l *hookList) scaled(i ScaledInfo) {
	later(l, "Scaled", func(h *Hooks) func(ScaledInfo) { return h.Scaled }, i)
}
func (l *hookList) error(i ErrorInfo) {
	inTurn(l, "Error", func(h *Hooks) func(ErrorInfo) { return h.Error }, i)
}

// errorLater is error for goroutines that may not wait.
func (l *hookList) errorLater(i ErrorInfo) {
	later(l, "Error", func(h *Hooks) func(ErrorInfo) { return h.Error }, i)
}
