package stream

import (
	"context"
	"errors"
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// unsettled records that the assignment is changing, settled that everything assigned has started.
func (m *Member) unsettled(now time.Time) {
	if m.unsettledAt.IsZero() {
		m.unsettledAt = now
	}
}

func (m *Member) settled(now time.Time) {
	if !m.unsettledAt.IsZero() {
		m.shared.Meters.Rebalance.Add(int64(now.Sub(m.unsettledAt)))
		m.unsettledAt = time.Time{}
	}
}

// begun counts the beginning of an invocation.
func (m *Member) begun(inv *partition.Invocation) {
	meters := m.shared.Meters
	meters.Records.Add(int64(inv.Records))
	meters.Fill.Add(int64(inv.Records) * shared.FullBatch / int64(max(m.settings.BatchSize, 1)))
	if inv.Attempt > 1 {
		return
	}
	oldest := inv.Parts[0].Work[0].Arrived
	for _, p := range inv.Parts[1:] {
		if at := p.Work[0].Arrived; at.Before(oldest) {
			oldest = at
		}
	}
	meters.Window.Add(int64(max(0, inv.Started.Sub(oldest))))
}

// countRetry counts a retry under its reason.
func (m *Member) countRetry(inv *partition.Invocation, v verdict.Verdict) {
	c := &m.shared.Counters.Retries
	n := &c.Failed
	_, panicked := errors.AsType[*observe.PanicError](inv.Err)
	switch {
	case v.Outcome == verdict.Overloaded:
		n = &c.Throttled
	case panicked:
		n = &c.Panicked
	case errors.Is(context.Cause(inv.Ctx), observe.ErrInvocationTimeout):
		n = &c.Timeout
	case v.Partial:
		n = &c.Partial
	}
	n.Add(1)
}
