package esm

import (
	"errors"
	"fmt"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// unaskedPatience is how long after the last invocation that named items for nothing the condition of it ends: a function
// names some now and then.
const unaskedPatience = 5 * time.Minute

// errUnasked is what stands while a handler names items without FunctionResponseTypes.
var errUnasked = errors.New("the handler returned ItemFailures, but the mapping has no FunctionResponseTypes: its whole batch failed; " +
	"set FunctionResponseTypes to ReportBatchItemFailures")

// errIgnored is the same of a Lambda function.
var errIgnored = errors.New("the function reports batchItemFailures, but the mapping has no FunctionResponseTypes: they are ignored, its batches succeeded; " +
	"set FunctionResponseTypes to ReportBatchItemFailures")

// heed has the invocation hear of items that count for nothing.
func (inv *invocation) heed() {
	if !inv.ReportBatchItemFailures {
		inv.ctx = event.WithIgnoredItems(inv.ctx, func(items int) { inv.ignored.Add(int64(items)) })
	}
}

// heardOfFunction begins and ends the conditions of what an invocation's end says of the function itself.
func (m *member) heardOfFunction(now time.Time, inv *invocation, v verdict.Verdict) {
	if v.Outcome == verdict.Interrupted {
		return
	}
	m.unaskedItems(now, inv, v)
	var problem observe.FunctionProblem
	switch broken := v.Outcome != verdict.Succeeded && errors.As(inv.err, &problem); {
	case broken:
		code := problem.FunctionProblem()
		if old := m.functionProblem.Swap(&code); old != nil && *old != code {
			m.endFunctionProblems(code)
		}
		m.conditions.hold(nil, ErrorInfo{Op: OpInvoke, Err: inv.err, LastProcessingResult: "PROBLEM: " + problem.Error()}, code, TopicPartition{})
	case m.functionProblem.Load() != nil:
		m.functionProblem.Store(nil)
		m.endFunctionProblems("")
	}
}

// endFunctionProblems ends the conditions of the function itself but that of a code.
func (c *core) endFunctionProblems(but string) {
	c.conditions.end(nil, func(x *Condition) bool { return ofFunction(x) && x.Kind != but })
}

// ofFunction reports whether a condition is one of the function itself.
func ofFunction(c *Condition) bool {
	return c.Op == OpInvoke && c.Kind != conditionCircuit && c.Kind != conditionInvalid
}

// unaskedItems begins the condition that items are named for nothing, and ends it when none were for a while.
func (m *member) unaskedItems(now time.Time, inv *invocation, v verdict.Verdict) {
	last := m.unasked.Load()
	switch ignored := inv.ignored.Load(); {
	case m.settings.retry.Partial:
	case v.Partial:
		m.unasked.Store(now.UnixNano())
		m.misconfigured(errUnasked)
		return
	case ignored > 0:
		m.unasked.Store(now.UnixNano())
		m.misconfigured(fmt.Errorf("%d items: %w", ignored, errIgnored))
		return
	}
	if last != 0 && now.Sub(time.Unix(0, last)) >= unaskedPatience && m.unasked.CompareAndSwap(last, 0) {
		m.corrected()
	}
}

// pauseAfter is how long a part waits after a failure: the mapping's own pause, or what a throttled other side asked for, up to
// the longest that WithRetryBackoff allows.
func (m *member) pauseAfter(p *partition, inv *invocation, v verdict.Verdict) time.Duration {
	after := m.opts.backoff.After(p.failures, m.rng)
	var pauser observe.Pauser
	if v.Outcome == verdict.Overloaded && errors.As(inv.err, &pauser) {
		after = max(after, min(pauser.Pause(), m.opts.backoff.Most))
	}
	return after
}
