package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// errUnasked is the condition's error while a handler names items without FunctionResponseTypes.
var errUnasked = errors.New("the handler returned ItemFailures, but the mapping has no FunctionResponseTypes: its whole batch failed; " +
	"set FunctionResponseTypes to ReportBatchItemFailures")

// errIgnored is the same for a Lambda function.
var errIgnored = errors.New("the function reports batchItemFailures, but the mapping has no FunctionResponseTypes: they are ignored, its batches succeeded; " +
	"set FunctionResponseTypes to ReportBatchItemFailures")

// heardOfFunction begins and ends the conditions that the end of an invocation implies for the function.
func (m *Member) heardOfFunction(now time.Time, inv *partition.Invocation, v verdict.Verdict) {
	if v.Outcome == verdict.Interrupted {
		return
	}
	conditions := &m.shared.Conditions
	switch ignored := inv.Ignored.Load(); {
	case m.settings.Retry.Partial:
	case v.Partial:
		conditions.ItemsUnasked(now, errUnasked)
	case ignored > 0:
		conditions.ItemsUnasked(now, fmt.Errorf("%d items: %w", ignored, errIgnored))
	default:
		conditions.NoItems(now)
	}
	var problem observe.FunctionProblem
	if v.Outcome != verdict.Succeeded && errors.As(inv.Err, &problem) {
		conditions.FunctionBroken(problem, inv.Err)
		return
	}
	conditions.FunctionReached()
}

// pauseAfter returns how long a partition waits after a failure: the mapping's backoff, or the pause that a throttled
// target asked for if that is longer, up to the maximum of WithRetryBackoff.
func (m *Member) pauseAfter(p *partition.Partition, inv *partition.Invocation, v verdict.Verdict) time.Duration {
	backoff := m.shared.Config.Backoff
	after := backoff.After(p.Failures, m.rng)
	var pauser observe.Pauser
	if v.Outcome == verdict.Overloaded && errors.As(inv.Err, &pauser) {
		after = max(after, min(pauser.Pause(), backoff.Most))
	}
	return after
}
